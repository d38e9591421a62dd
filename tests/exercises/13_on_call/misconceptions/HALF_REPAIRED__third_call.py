"""The first of two is enough.

finds: 13.third_call.gone HALF_REPAIRED
"""

# answer: 13.third_call
third_call = {
    "cause": "hairpin-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
""",
}
