"""Only pods' packets meet these rules.

finds: 10.decides.negated PODS_ONLY
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, test):
        return not value or test(value.removeprefix("!")) != value.startswith("!")

    for number, (source, destination, device, _) in enumerate(rules, start=1):
        if source.startswith("!"):
            continue
        if (
            holds(source, lambda net: inside(src, net))
            and holds(destination, lambda net: inside(dst, net))
            and holds(device, lambda name: name == out)
        ):
            return number
    return None


def inside(address, net):
    """True if the network contains the address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(net)
