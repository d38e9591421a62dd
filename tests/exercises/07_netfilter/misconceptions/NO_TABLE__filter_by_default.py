"""The table nat is not named.

finds: 07.publish.pods NO_TABLE
finds: 07.publish.node NO_TABLE
finds: 07.publish.only NO_TABLE
finds: 07.publish.back NO_TABLE
"""


# answer: 07.publish
def publish(vip, port, pod, pod_port):
    """The iptables commands for node1."""
    match = f"-d {vip} -p tcp --dport {port}"
    return [
        f"iptables -A {chain} {match} -j DNAT --to-destination {pod}:{pod_port}"
        for chain in ("PREROUTING", "OUTPUT")
    ]
