"""Searches the past instead of keeping a table, bits by hand, values in other forms."""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    answer = []
    for at, (time, port, _, dst) in enumerate(frames):
        seen = [f for f in frames[: at + 1] if f[2] == dst and time - f[0] < 300]
        if not seen or dst == "ff:ff:ff:ff:ff:ff":
            answer.append(set(ports) - {port})
        else:
            answer.append({seen[-1][1]} - {port})
    return tuple(answer)


# answer: 03.receiver
receiver = {
    "near": {
        "src": "02:42:0A:01:0F:02",
        "dst": "02-42-0a-01-0f-03",
        "ttl": "64",
        "route": ("10.1.15.0/24", "eth0"),
        "entry": "02:42:0a:01:0f:03 dev veth-web1 master docker0",
    },
    "far": {"dst_at_web2": "02:42:0a:01:0f:01", "src_at_backend": "Node2:docker0"},
}


# answer: 03.flood
flood = {
    "question": "docker0, veth-web2 and veth-web1",
    "answer": "veth-web2",
    "request": ("veth-web1",),
    "entry": ("02:42:0a:01:0f:02", "veth-web2"),
    "later": {"asks": "no", "request": {"veth-web2", "veth-web1"}},
}


# answer: 03.resolve
def resolve(address, gateway, neighbours, dst):
    """("send", MAC) or ("ask", ADDRESS)."""

    def number(text):
        return int.from_bytes(bytes(map(int, text.split("."))), "big")

    own, length = address.split("/")
    shift = 32 - int(length)
    near = number(own) >> shift == number(dst) >> shift
    hop = dst if near else gateway
    mac = neighbours.get(hop)
    return ["ask", hop] if mac is None else ["send", mac.upper()]


# answer: 03.service
service = {
    "on": {"outcome": "answered", "reply_from": "backend-svc 10.96.0.10"},
    "off": {"outcome": "timeout", "reply_from": "10.1.20.4 (backend-b)"},
    "far": {"outcome": "ok", "reply_from": "10.96.0.10"},
}


# answer: 03.neighbours
neighbours = {
    "cause": "pod-mask",
    "script": """
web1$ ip addr del 10.1.15.3/16 dev eth0
web1$ ip addr add 10.1.15.3/24 dev eth0
web1$ ip route add default via 10.1.15.1
""",
}
