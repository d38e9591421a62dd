"""Every protocol is translated.

finds: 07.publish.only EVERY_PROTOCOL
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    return [
        f"iptables -t nat -A {chain} -d {vip} -p {proto} --dport {port} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
        for proto in ("tcp", "udp")
    ]
