"""The example's values are the answer.

finds: 08.chains.share HARD_CODED
finds: 08.chains.target HARD_CODED
finds: 08.chains.only HARD_CODED
finds: 08.chains.client HARD_CODED
finds: 08.chains.hairpin HARD_CODED
"""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    return [
        "-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SHOP",
        "-A SHOP ! -s 10.1.0.0/16 -j KUBE-MARK-MASQ",
        "-A SHOP -m statistic --mode random --probability 0.5 -j SHOP-1",
        "-A SHOP -j SHOP-2",
        "-A SHOP-1 -s 10.1.20.3/32 -j KUBE-MARK-MASQ",
        "-A SHOP-1 -p tcp -m tcp -j DNAT --to-destination 10.1.20.3:8080",
        "-A SHOP-2 -s 10.1.20.4/32 -j KUBE-MARK-MASQ",
        "-A SHOP-2 -p tcp -m tcp -j DNAT --to-destination 10.1.20.4:8080",
    ]
