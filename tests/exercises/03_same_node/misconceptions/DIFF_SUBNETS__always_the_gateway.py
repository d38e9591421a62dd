"""Every packet goes to the gateway.

finds: 03.resolve.near DIFF_SUBNETS
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    hop = gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)
