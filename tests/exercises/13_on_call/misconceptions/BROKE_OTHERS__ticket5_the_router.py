"""The answer finds no way to a pod, so the router must learn one.

finds: 13.ticket5.gone HALF_REPAIRED
finds: 13.ticket5.clean BROKE_OTHERS
"""

# answer: 13.ticket5
ticket5 = {
    "cause": "no-masquerade",
    "script": """
router$ ip route add 10.1.0.0/16 via 192.168.66.11
""",
}
