"""The next address is the last one plus one.

finds: 12.choose.round TAKEN_IGNORED
finds: 12.choose.wrap TAKEN_IGNORED
finds: 12.choose.full TAKEN_IGNORED
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    gateway = ipaddress.ip_network(subnet)[1]
    return str(ipaddress.ip_address(last or gateway) + 1)
