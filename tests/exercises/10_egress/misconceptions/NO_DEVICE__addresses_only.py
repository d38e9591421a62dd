"""Only addresses count.

finds: 10.decides.device NO_DEVICE
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, test):
        return not value or test(value.removeprefix("!")) != value.startswith("!")

    for number, (source, destination, _device, _) in enumerate(rules, start=1):
        if holds(source, lambda net: inside(src, net)) and holds(
            destination, lambda net: inside(dst, net)
        ):
            return number
    return None


def inside(address, net):
    """True if the network contains the address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(net)
