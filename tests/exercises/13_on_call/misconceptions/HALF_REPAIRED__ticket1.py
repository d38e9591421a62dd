"""The first of two is enough.

finds: 13.ticket1.gone HALF_REPAIRED
"""

# answer: 13.ticket1
ticket1 = {
    "cause": "stale-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
""",
}
