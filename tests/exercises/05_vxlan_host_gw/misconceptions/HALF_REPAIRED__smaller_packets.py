"""Who sends smaller packets has no trouble.

finds: 05.hole.gone HALF_REPAIRED
"""

# answer: 05.hole
hole = {
    "cause": "mtu-black-hole",
    "script": """
web1$ ip link set eth0 mtu 1300
""",
}
