"""The bridge and one pod: the other will follow.

finds: 01.image.gone HALF_REPAIRED
"""

# answer: 01.image
image = {
    "cause": "one-docker0-range",
    "script": """
node2$ ip addr del 10.1.30.1/24 dev docker0
node2$ ip addr add 10.1.20.1/24 dev docker0
backend$ ip addr del 10.1.30.3/24 dev eth0
backend$ ip addr add 10.1.20.3/24 dev eth0
backend$ ip route add default via 10.1.20.1
""",
}
