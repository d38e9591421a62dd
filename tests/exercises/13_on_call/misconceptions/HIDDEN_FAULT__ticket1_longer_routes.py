"""Longer routes over the stale ones: what no packet meets is gone.

finds: 13.ticket1.clean HIDDEN_FAULT
"""

# answer: 13.ticket1
ticket1 = {
    "cause": "stale-route",
    "script": """
node1$ ip route add 10.1.20.0/26 via 10.1.20.0 dev flannel.1 onlink
node1$ ip route add 10.1.30.0/26 via 10.1.30.0 dev flannel.1 onlink
""",
}
