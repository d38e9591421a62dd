"""An endpoint that asks is marked, wherever it is led.

finds: 08.chains.client MARK_EVERYWHERE
"""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport {port} -j SHOP"]
    made.append(f"-A SHOP ! -s {pods} -j KUBE-MARK-MASQ")
    for end in endpoints:
        made.append(f"-A SHOP -s {end.split(':')[0]}/32 -j KUBE-MARK-MASQ")
    for at, end in enumerate(endpoints):
        left = len(endpoints) - at
        draw = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        made.append(f"-A SHOP {draw}-j SHOP-{at}")
        made.append(f"-A SHOP-{at} -p tcp -m tcp -j DNAT --to-destination {end}")
    return made
