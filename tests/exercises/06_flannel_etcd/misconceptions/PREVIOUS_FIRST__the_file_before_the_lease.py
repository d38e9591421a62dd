"""subnet.env is asked before the list.

finds: 06.claim.own PREVIOUS_FIRST
"""


# answer: 06.claim
def claim(network, listed, me, previous):
    """The key, the version it must have, and the value; or None."""
    prefix = "/coreos.com/network/subnets/"
    for kv in (
        listed
        if previous not in [str(n) for n in ipaddress.ip_network(network).subnets(new_prefix=24)]
        or prefix + previous.replace("/", "-") in [k["key"] for k in listed]
        else []
    ):
        if kv["value"] == me:
            return kv["key"], kv["version"], me
    taken = {kv["key"] for kv in listed}
    whole = ipaddress.ip_network(network)
    ranges = [str(one) for one in whole.subnets(new_prefix=24)]
    wishes = ([previous] if previous in ranges else []) + ranges
    for subnet in wishes:
        key = prefix + subnet.replace("/", "-")
        if key not in taken:
            return key, 0, me
    return None
