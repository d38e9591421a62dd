"""Downloads that hang have met a firewall.

finds: 05.hole.cause MTU
"""

# answer: 05.hole
hole = {
    "cause": "overlay-port-blocked",
    "script": """
switch$ ip link set p-node2 mtu 1500
""",
}
