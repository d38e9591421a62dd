"""What a process of node1 sends crosses INPUT.

finds: 07.publish.pods INPUT_SENDS
finds: 07.publish.node INPUT_SENDS
finds: 07.publish.only INPUT_SENDS
finds: 07.publish.back INPUT_SENDS
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "INPUT")
    ]
