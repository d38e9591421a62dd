"""The last address of the subnet is given, too; and there is always one.

finds: 12.choose.wrap BROADCAST_GIVEN
finds: 12.choose.full BROADCAST_GIVEN
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, _, *hosts = ipaddress.ip_network(subnet)
    start = hosts.index(ipaddress.ip_address(last)) + 1 if last else 0
    for ip in hosts[start:] + hosts[:start]:
        if str(ip) not in taken:
            return str(ip)
    return None
