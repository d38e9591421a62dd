"""docker0 and docker01: the name begins alike.

finds: 10.decides.device NAME_BEGINS
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, thing):
        plain = value.removeprefix("!")
        if "/" in plain:
            fits = ipaddress.ip_address(thing) in ipaddress.ip_network(plain)
        else:
            fits = thing.startswith(plain)
        return not value or fits != value.startswith("!")

    for number, (source, destination, device, _) in enumerate(rules, start=1):
        if holds(source, src) and holds(destination, dst) and holds(device, out):
            return number
    return None
