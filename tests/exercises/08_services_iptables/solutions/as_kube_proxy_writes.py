"""Rules as kube-proxy writes them; values in the forms of the task."""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [f"-A KUBE-SERVICES -d {vip}/32 -p tcp -m tcp --dport {port} -j SHOP"]
    made.append(f"-A SHOP ! -s {pods} -j KUBE-MARK-MASQ")
    for at, end in enumerate(endpoints):
        left = len(endpoints) - at
        draw = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        made.append(f"-A SHOP {draw}-j SHOP-{at}")
        made.append(f"-A SHOP-{at} -s {end.split(':')[0]}/32 -j KUBE-MARK-MASQ")
        made.append(f"-A SHOP-{at} -p tcp -m tcp -j DNAT --to-destination {end}")
    return made


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [1 / (n - i) for i in range(n)]


# answer: 08.masq
masq = {
    "web1": {"source": "10.1.15.3", "marked_by": "none"},
    "neighbour": {"source": "10.1.20.4", "marked_by": "none"},
    "node": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "outside": {"source": "192.168.66.11", "marked_by": "KUBE-SVC"},
    "itself": {"source": "10.1.20.1", "marked_by": "KUBE-SEP"},
}


# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "nat PREROUTING"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}


# answer: 08.stopped
stopped = {
    "old": {
        "from_backend": ["backend", "backend-b", "backend-c"],
        "from_web2": ["backend", "backend-b"],
    },
    "new": {"from_backend_b": "router", "from_web2": "backend"},
    "udp": {
        "same": ["backend-c"],
        "other": ["backend", "backend-c"],
        "later": ["backend", "backend-c"],
    },
}


# answer: 08.keep
keep = {"one": {"backends": 1, "counted": 1}, "each": {"counted": 30, "expected": 10, "least": 0}}


# answer: 08.bridge
bridge = {"nf_off": ["backend"], "answer_from": "10.1.20.3", "hairpin_off": ["backend-b"]}


# answer: 08.refused
refused = {
    "cause": "target-port",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'
""",
}


# answer: 08.hangs
hangs = {
    "cause": "bridge-nf-off",
    "script": """
node2$ sysctl -w net.bridge.bridge-nf-call-iptables=1
""",
}
