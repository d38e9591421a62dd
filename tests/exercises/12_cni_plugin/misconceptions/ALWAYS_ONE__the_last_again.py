"""When all are taken, the last one is given again.

finds: 12.choose.full ALWAYS_ONE
"""


# answer: 12.choose
def choose(subnet, taken, last):
    """The next address, or None."""
    _, *hosts = ipaddress.ip_network(subnet).hosts()
    start = hosts.index(ipaddress.ip_address(last)) + 1 if last else 0
    for ip in hosts[start:] + hosts[:start]:
        if str(ip) not in taken:
            return str(ip)
    return last
