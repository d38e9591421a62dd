"""The first of two is enough.

finds: 13.ticket4.gone HALF_REPAIRED
"""

# answer: 13.ticket4
ticket4 = {
    "cause": "hairpin-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
""",
}
