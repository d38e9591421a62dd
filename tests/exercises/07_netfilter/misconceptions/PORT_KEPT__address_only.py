"""Only the address is translated.

finds: 07.publish.pods PORT_KEPT
finds: 07.publish.node PORT_KEPT
finds: 07.publish.only -
finds: 07.publish.back -
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}"
        for chain in ("PREROUTING", "OUTPUT")
    ]
