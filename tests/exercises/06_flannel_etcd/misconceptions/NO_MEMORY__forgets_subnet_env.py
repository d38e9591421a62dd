"""The previous range is forgotten.

finds: 06.claim.previous NO_MEMORY
"""


# answer: 06.claim
def claim(network, listed, me, previous):
    """The key, the version it must have, and the value; or None."""
    prefix = "/coreos.com/network/subnets/"
    for kv in listed:
        if kv["value"] == me:
            return kv["key"], kv["version"], me
    taken = {kv["key"] for kv in listed}
    whole = ipaddress.ip_network(network)
    ranges = [str(one) for one in whole.subnets(new_prefix=24)]
    wishes = ranges
    for subnet in wishes:
        key = prefix + subnet.replace("/", "-")
        if key not in taken:
            return key, 0, me
    return None
