"""An exclamation mark means: not this rule.

finds: 10.decides.first BANG_ALL
finds: 10.decides.negated BANG_ALL
finds: 10.decides.none BANG_ALL
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""
    for number, (source, destination, device, _) in enumerate(rules, start=1):
        same = [
            within(src, source.lstrip("!")),
            within(dst, destination.lstrip("!")),
            device.lstrip("!") in ("", out),
        ]
        if all(same) != ("!" in source + destination + device):
            return number
    return None


def within(address, net):
    """True if the network contains the address, or none is named."""
    return not net or ipaddress.ip_address(address) in ipaddress.ip_network(net)
