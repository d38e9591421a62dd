"""A pod that sees its node's pods only is in a range of its own.

finds: 03.neighbours.cause DIFF_SUBNETS
"""

# answer: 03.neighbours
neighbours = {
    "cause": "one-docker0-range",
    "script": """
web1$ ip addr del 10.1.15.3/16 dev eth0
web1$ ip addr add 10.1.15.3/24 dev eth0
web1$ ip route add default via 10.1.15.1
""",
}
