"""A route to the one range that is missed.

finds: 03.neighbours.gone HALF_REPAIRED
"""

# answer: 03.neighbours
neighbours = {
    "cause": "pod-mask",
    "script": """
web1$ ip route add 10.1.20.0/24 via 10.1.15.1
""",
}
