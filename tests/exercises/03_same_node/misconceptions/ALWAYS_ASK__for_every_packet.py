"""The kernel asks for each packet.

finds: 03.resolve.near ALWAYS_ASK
finds: 03.resolve.far ALWAYS_ASK
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    subnet = ipaddress.ip_interface(address).network
    hop = dst if ipaddress.ip_address(dst) in subnet else gateway
    return ("ask", hop)
