"""Source ports come from ip_local_port_range.

finds: 10.limits.ports EPHEMERAL
"""

# answer: 10.limits
limits = {
    "ports": {"one": 28232, "two": 56464},
    "three": {"ext": 3, "client": 3},
    "table": {"both": 4},
}
