"""Masquerading is about who sends.

finds: 10.decides.first SOURCE_ONLY
finds: 10.decides.negated SOURCE_ONLY
finds: 10.decides.device NO_DEVICE
finds: 10.decides.none SOURCE_ONLY
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

    for number, (source, *_) in enumerate(rules, start=1):
        if holds(source, src):
            return number
    return None
