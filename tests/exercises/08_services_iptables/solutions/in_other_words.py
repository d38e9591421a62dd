"""Rules as lists of words, with long options; values in still other words."""


# answer: 08.chains
def rules(vip, port, endpoints, pods):
    """The nat rules of one Service, a list of texts."""
    made = [
        f"iptables -w --table nat --append KUBE-SERVICES --destination {vip} --protocol TCP "
        f"--destination-port={port} --jump SHOP",
        f"iptables -A SHOP -t nat ! --source {pods} -j KUBE-MARK-MASQ",
    ]
    for at, end in enumerate(endpoints):
        rest = len(endpoints) - at
        jump = ["-j", f"EP-{end}"]
        if rest > 1:
            jump = ["-m", "statistic", "--mode", "random", "--probability", 1 / rest, *jump]
        made.append(["-A", "SHOP", *jump])
        made.append(f"-I EP-{end} -p tcp -j DNAT --to-destination={end}")
        made.append(f"-I EP-{end} -s {end.partition(':')[0]} -j KUBE-MARK-MASQ")
    return made


# answer: 08.chances
def chances(n):
    """The chance of each of the n rules, in their order."""
    return [f"{1 / rest:.2f}".lstrip("0") for rest in range(n, 0, -1)]


# answer: 08.masq
masq = {
    "web1": {"source": "Pod web1", "marked_by": False},
    "neighbour": {"source": "backend-b", "marked_by": "no rule"},
    "node": {"source": "node1:eth0", "marked_by": "SVC"},
    "outside": {"source": "192.168.66.11", "marked_by": "KUBE_SVC"},
    "itself": {"source": "docker0 of node2", "marked_by": "the KUBE-SEP chain"},
}


# answer: 08.path
path = {
    "changed": {"netns": "node1", "box": "PREROUTING in table nat"},
    "wire": "backend-c:8080",
    "answer": "10.96.0.10, port 80",
    "ping": {"ends_in": "the router", "route": "default via 192.168.66.1"},
}


# answer: 08.stopped
stopped = {
    "old": {"from_backend": "backend, backend-b & backend-c", "from_web2": "backend and backend-b"},
    "new": {"from_backend_b": ["router"], "from_web2": ["backend"]},
    "udp": {"same": "only backend-c", "other": "backend backend-c", "later": "backend & backend-c"},
}


# answer: 08.keep
keep = {
    "one": {"backends": 1, "counted": "1"},
    "each": {"counted": 30, "expected": 30 / 3, "least": 0},
}


# answer: 08.bridge
bridge = {"nf_off": ["10.1.20.3"], "answer_from": "backend", "hairpin_off": "itself"}
