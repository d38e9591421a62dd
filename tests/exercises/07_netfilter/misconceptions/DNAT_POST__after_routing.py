"""DNAT comes after routing.

finds: 07.publish.pods DNAT_POST
finds: 07.publish.node DNAT_POST
finds: 07.publish.only DNAT_POST
finds: 07.publish.back DNAT_POST
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("POSTROUTING",)
    ]
