"""The answer needs a rule of its own.

finds: 07.publish.back SNAT_REPLY
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ] + [f"iptables -t nat -A POSTROUTING -s {pod} -j SNAT --to-source {vip}"]
