"""Every hanging call on one node is the bridge's switch.

finds: 13.ticket4.cause BRNF
"""

# answer: 13.ticket4
ticket4 = {
    "cause": "bridge-nf-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
node2$ bridge link set dev veth-backend hairpin on
""",
}
