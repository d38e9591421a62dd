"""A rule names the address that the packet comes from.

finds: 07.publish.pods SENDER
finds: 07.publish.node SENDER
finds: 07.publish.only -
finds: 07.publish.back -
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-s {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ]
