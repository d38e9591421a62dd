"""The addresses are given in turn, whoever has them.

finds: 12.choose.round TAKEN_IGNORED
finds: 12.choose.wrap TAKEN_IGNORED
finds: 12.choose.full TAKEN_IGNORED
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = map(str, ipaddress.ip_network(subnet).hosts())
    return hosts[(hosts.index(last) + 1) % len(hosts) if last else 0]
