"""The narrowest rule wins.

finds: 10.decides.first SPECIFIC
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, test):
        return not value or test(value.removeprefix("!")) != value.startswith("!")

    found, most = None, -1
    for number, (source, destination, device, _) in enumerate(rules, start=1):
        if (
            holds(source, lambda net: inside(src, net))
            and holds(destination, lambda net: inside(dst, net))
            and holds(device, lambda name: name == out)
        ):
            ends = [net for net in (source, destination) if net]
            bits = sum(int(net.split("/")[1]) for net in ends)
            found, most = (number, bits) if bits > most else (found, most)
    return found


def inside(address, net):
    """True if the network contains the address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(net)
