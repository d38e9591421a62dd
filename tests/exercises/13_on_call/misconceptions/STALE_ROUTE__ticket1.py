"""Old routes vanish by themselves, so a route is missing.

finds: 13.ticket1.cause STALE_ROUTE
"""

# answer: 13.ticket1
ticket1 = {
    "cause": "no-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
node1$ ip route del 10.1.30.0/25 via 192.168.66.14
""",
}
