# answer: 13.hop
def first_wrong_hop(expected, actual):
    """The number of the first wrong hop, or None."""
    longest = max(len(expected), len(actual))
    one = [tuple(hop) for hop in expected] + [None] * (longest - len(expected))
    other = [tuple(hop) for hop in actual] + [None] * (longest - len(actual))
    wrong = [n for n in range(longest) if one[n] != other[n]]
    return wrong[0] if wrong else None


# answer: 13.halve
halve = {"a": "SERVICE", "b": "ENDPOINTS", "c": "OVERLAY", "d": "SIZE"}


# answer: 13.ticket1
ticket1 = {
    "cause": "stale-route",
    "script": """
node1$ ip route del 10.1.20.0/25 via 192.168.66.14
node1$ ip route del 10.1.30.0/25 via 192.168.66.14
""",
}


# answer: 13.ticket2
ticket2 = {
    "cause": "cut-from-etcd",
    "script": """
node2$ systemctl start etcd-tunnel
node2$ systemctl restart flanneld
""",
}


# answer: 13.ticket3
ticket3 = {
    "cause": "kube-proxy-stopped",
    "script": """
node3$ systemctl start kube-proxy
""",
}


# answer: 13.ticket4
ticket4 = {
    "cause": "hairpin-off",
    "script": """
node2$ bridge link set dev veth-backend-b hairpin on
node2$ bridge link set dev veth-backend hairpin on
""",
}


# answer: 13.ticket5
ticket5 = {
    "cause": "no-masquerade",
    "script": """
node1$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node1$ systemctl restart flanneld
node2$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node2$ systemctl restart flanneld
""",
}
