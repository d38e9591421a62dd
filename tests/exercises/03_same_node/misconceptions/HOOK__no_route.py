"""Who does not reach another node lacks a route on his own.

finds: 03.neighbours.cause HOOK
"""

# answer: 03.neighbours
neighbours = {
    "cause": "no-route",
    "script": """
web1$ ip addr del 10.1.15.3/16 dev eth0
web1$ ip addr add 10.1.15.3/24 dev eth0
web1$ ip route add default via 10.1.15.1
""",
}
