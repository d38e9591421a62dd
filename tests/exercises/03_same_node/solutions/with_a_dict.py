"""A dict for the database, the standard library for the subnet."""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    table = {}
    answer = []
    for time, port, src, dst in frames:
        table[src] = (port, time)
        if dst == "ff:ff:ff:ff:ff:ff":
            out = [p for p in ports if p != port]
        elif dst in table and time - table[dst][1] < 300:
            out = [table[dst][0]]
            if out == [port]:
                out = []
        else:
            out = [p for p in ports if p != port]
        answer.append(out)
    return answer


# answer: 03.receiver
receiver = {
    "near": {
        "src": "web2:eth0",
        "dst": "web1:eth0",
        "ttl": 64,
        "route": "10.1.15.0/24 dev eth0",
        "entry": "web1:eth0 dev veth-web1",
    },
    "far": {"dst_at_web2": "node1:docker0", "src_at_backend": "node2:docker0"},
}


# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2", "docker0"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": False, "request": ["veth-web1", "veth-web2"]},
}


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""
    subnet = ipaddress.ip_interface(address).network
    hop = dst if ipaddress.ip_address(dst) in subnet else gateway
    return ("send", neighbours[hop]) if hop in neighbours else ("ask", hop)


# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "off": {"outcome": "lost", "reply_from": "10.1.20.4"},
    "far": {"outcome": "delivered", "reply_from": "10.96.0.10"},
}
