"""If the gateway's MAC address is not known, the kernel asks for the receiver.

finds: 03.resolve.far MAC_E2E
"""


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    subnet = ipaddress.ip_interface(address).network
    hop = dst if ipaddress.ip_address(dst) in subnet else gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", dst)
