"""A RETURN gives the packet back, so no rule decides.

finds: 10.decides.first RETURN_IS_NONE
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

    for number, (source, destination, device, verdict) in enumerate(rules, start=1):
        if holds(source, src) and holds(destination, dst) and holds(device, out):
            return number if verdict == "MASQUERADE" else None
    return None
