"""The destination stands first, as in a route.

finds: 10.decides.first SWAPPED
finds: 10.decides.negated SWAPPED
finds: 10.decides.device SWAPPED
finds: 10.decides.none SWAPPED
"""


# answer: 10.decides
def decides(rules, src, dst, out):
    """The number of the rule that decides, or None."""

    def holds(value, thing):
        plain = value.removeprefix("!")
        if "/" in plain:
            fits = ipaddress.ip_address(thing) in ipaddress.ip_network(plain)
        else:
            fits = plain == thing
        return not value or fits != value.startswith("!")

    for number, (source, destination, device, _) in enumerate(rules, start=1):
        if holds(source, dst) and holds(destination, src) and holds(device, out):
            return number
    return None
