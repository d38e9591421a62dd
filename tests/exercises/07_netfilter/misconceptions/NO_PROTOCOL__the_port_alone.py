"""A port needs no protocol.

finds: 07.publish.pods NO_PROTOCOL
finds: 07.publish.node NO_PROTOCOL
finds: 07.publish.only NO_PROTOCOL
finds: 07.publish.back NO_PROTOCOL
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    return [
        f"iptables -t nat -A {chain} -d {vip} --dport {port} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ]
