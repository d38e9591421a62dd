"""The frame needs the receiver's MAC address, wherever it is.

finds: 03.resolve.far MAC_E2E
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    hop = dst
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)
