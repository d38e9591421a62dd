"""What stands in the neighbour table is used.

finds: 03.resolve.far TABLE_FIRST
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    if dst in neighbours:
        return ("send", neighbours[dst])
    subnet = ipaddress.ip_interface(address).network
    hop = dst if ipaddress.ip_address(dst) in subnet else gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)
