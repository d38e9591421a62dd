"""The first of two is enough.

finds: 13.rack.gone HALF_REPAIRED
"""

# answer: 13.rack
rack = {
    "cause": "stale-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
""",
}
