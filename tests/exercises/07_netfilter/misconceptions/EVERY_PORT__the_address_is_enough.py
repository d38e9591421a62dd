"""The address alone is enough.

finds: 07.publish.only EVERY_PORT
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp"
    return [
        f"iptables -t nat -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ]
