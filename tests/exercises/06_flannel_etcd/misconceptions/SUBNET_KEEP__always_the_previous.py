"""A node always keeps its range.

finds: 06.claim.taken SUBNET_KEEP
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
    wishes = ([previous] if previous in ranges else []) + ranges
    for subnet in wishes:
        key = prefix + subnet.replace("/", "-")
        if key not in taken or subnet == previous:
            return key, 0, me
    return None
