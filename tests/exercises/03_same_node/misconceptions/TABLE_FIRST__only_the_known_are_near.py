"""Who is in the neighbour table is a neighbour, nobody else.

finds: 03.resolve.near TABLE_FIRST
finds: 03.resolve.far TABLE_FIRST
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    hop = dst if dst in neighbours else gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)
