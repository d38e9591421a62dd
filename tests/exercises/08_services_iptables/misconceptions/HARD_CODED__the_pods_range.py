"""The pods' range is that of the example.

finds: 08.chains.client HARD_CODED
"""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport {port} -j SHOP"]
    made.append("-A SHOP ! -s 10.1.0.0/16 -j KUBE-MARK-MASQ")
    for at, end in enumerate(endpoints):
        left = len(endpoints) - at
        draw = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        made.append(f"-A SHOP {draw}-j SHOP-{at}")
        made.append(f"-A SHOP-{at} -s {end.split(':')[0]}/32 -j KUBE-MARK-MASQ")
        made.append(f"-A SHOP-{at} -p tcp -m tcp -j DNAT --to-destination {end}")
    return made
