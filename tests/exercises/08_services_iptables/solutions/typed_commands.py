"""Commands as one types them, a mark in KUBE-SERVICES; values in other forms."""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service: one text, commands as they would be typed."""
    match = f"-d {vip} -p tcp --dport {port}"
    text = "iptables -t nat -N KUBE-SVC-X\n"
    for i, end in enumerate(reversed(endpoints), start=1):
        ip, _, _ = end.partition(":")
        jump = f"iptables -t nat -A KUBE-SVC-X -j KUBE-SEP-{i}\n"
        if i > 1:
            jump = jump.replace("-j", f"-m statistic --mode random --probability {1 / i} -j")
        text = text.replace("-N KUBE-SVC-X\n", f"-N KUBE-SVC-X\n{jump}")
        text += f"iptables -t nat -N KUBE-SEP-{i}\n"
        text += f"iptables -t nat -A KUBE-SEP-{i} -s {ip} -j KUBE-MARK-MASQ\n"
        text += f"iptables -t nat -A KUBE-SEP-{i} -p tcp -j DNAT --to-destination {end}\n"
    mark = f"iptables -t nat -A KUBE-SERVICES {match} ! -s {pods} -j KUBE-MARK-MASQ\n"
    return mark + text + f"iptables -t nat -A KUBE-SERVICES {match} -j KUBE-SVC-X\n"


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    from fractions import Fraction

    left, made = Fraction(1), []
    for _ in range(n):
        made.append(Fraction(1, n) / left)
        left -= Fraction(1, n)
    return tuple(made)


# answer: 08.masq
masq = {
    "web1": {"source": "web1", "marked_by": "None"},
    "neighbour": {"source": "10.1.20.4/32", "marked_by": "nobody"},
    "node": {"source": "node1", "marked_by": "KUBE-SVC-YJHZHYHNQFKFTDKK"},
    "outside": {
        "source": "192.168.66.11:51000",
        "marked_by": "-A KUBE-SVC-YJHZHYHNQFKFTDKK ! -s 10.1.0.0/16 -d "
        "10.96.0.10/32 -j KUBE-MARK-MASQ",
    },
    "itself": {"source": "10.1.20.1", "marked_by": "kube-sep"},
}


# answer: 08.path
path = {
    "changed": {"netns": "node/node1", "box": "PREROUTING"},
    "wire": ("10.1.30.2", 8080),
    "answer": ["10.96.0.10", "80"],
    "ping": {"ends_in": "Router", "route": "via 192.168.66.1 dev eth0"},
}


# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": "backend-c, backend-b and backend",
        "from_web2": {"backend-b", "backend"},
    },
    "new": {"from_backend_b": "router", "from_web2": "pod/backend"},
    "udp": {"same": "backend-c", "other": ("backend-c", "backend"), "later": "backend, backend-c"},
}


# answer: 08.keep
keep = {
    "one": {"backends": "1", "counted": 1},
    "each": {"counted": 30, "expected": "10", "least": "0"},
}


# answer: 08.bridge
bridge = {"nf_off": "backend", "answer_from": "10.1.20.3:8080", "hairpin_off": ("backend-b",)}
