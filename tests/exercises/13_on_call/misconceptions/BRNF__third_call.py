"""Every hanging call on one node is the bridge's switch.

finds: 13.third_call.cause BRNF
"""

# answer: 13.third_call
third_call = {
    "cause": "bridge-nf-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
node2$ bridge link set dev veth-backend hairpin on
""",
}
