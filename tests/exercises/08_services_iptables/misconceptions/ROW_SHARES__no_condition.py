"""Rules in a row share the work by themselves.

finds: 08.chains.share ROW_SHARES
"""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport {port} -j SHOP"]
    made.append(f"-A SHOP ! -s {pods} -j KUBE-MARK-MASQ")
    for at, end in enumerate(endpoints):
        made.append(f"-A SHOP -j SHOP-{at}")
        made.append(f"-A SHOP-{at} -s {end.split(':')[0]}/32 -j KUBE-MARK-MASQ")
        made.append(f"-A SHOP-{at} -p tcp -m tcp -j DNAT --to-destination {end}")
    return made
