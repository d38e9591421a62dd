"""A subnet is three octets.

finds: 03.resolve.near MASK24
finds: 03.resolve.far MASK24
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    near = address.split(".")[:3] == dst.split(".")[:3]
    hop = dst if near else gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)
