"""The mark may stand behind the DNAT.

finds: 08.chains.hairpin ORDER_IGNORED
"""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport {port} -j SHOP"]
    made.append(f"-A SHOP ! -s {pods} -j KUBE-MARK-MASQ")
    for at, end in enumerate(endpoints):
        left = len(endpoints) - at
        draw = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        made.append(f"-A SHOP {draw}-j SHOP-{at}")
        made.append(f"-A SHOP-{at} -p tcp -m tcp -j DNAT --to-destination {end}")
        made.append(f"-A SHOP-{at} -s {end.split(':')[0]}/32 -j KUBE-MARK-MASQ")
    return made
