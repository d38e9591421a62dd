"""Bits by hand for the lookup, the model's own packets for the bytes, values in other forms."""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""

    def number(text):
        return int.from_bytes(bytes(map(int, text.split("."))), "big")

    best, best_length = None, -1
    for prefix, device in routes:
        network, length = prefix.split("/")
        shift = 32 - int(length)
        if number(network) >> shift == number(dst) >> shift and int(length) > best_length:
            best, best_length = (ipaddress.ip_network(prefix), device), int(length)
    return best


# answer: 04.encapsulate
def encapsulate(inner, source, target):
    """The outer packet that leaves eth0, or None."""
    ip, *rest = decode(inner, first="ipv4").headers
    if ip.ttl <= 1:
        return None
    payload = decode(inner, first="ipv4").payload
    outer = IPv4(source, target, 17, df=True), Udp(8285, 8285)
    return bytearray(encode(Packet(*outer, ip._replace(ttl=ip.ttl - 1), *rest, payload=payload)))


# answer: 04.headers
headers = {
    "ethernet": {"src": "02:66:C0:A8:42:0B", "dst": "02-66-c0-a8-42-0c"},
    "outer": {
        "src": ipaddress.ip_address("192.168.66.11"),
        "dst": "192.168.66.12",
        "sport": "8285",
        "dport": 8285,
        "ttl": 64,
    },
    "inner": {"src": "10.1.15.2", "dst": "10.1.20.3", "sport": 40004, "dport": 8080, "ttl": "62"},
    "route": "10.1.0.0/16 dev flannel0 scope link",
    "lease": (ipaddress.ip_network("10.1.20.0/24"), "192.168.66.12"),
}


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    outer = decode(packet, first="ipv4")
    if outer.transport.dport != 8285:
        return None
    inner = outer.innermost
    ip = inner.ip
    if ip.ttl <= 1:
        return None
    return encode(Packet(ip._replace(ttl=ip.ttl - 1), *inner.headers[1:], payload=inner.payload))


# answer: 04.stopped
stopped = {
    "node1": {
        "route": "0.0.0.0/0 via 192.168.66.1 dev eth0",
        "ends_in": "Router",
        "told": "no one",
    },
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node/node2", "told": "node1"},
}


# answer: 04.blocked
blocked = {
    "cause": "overlay-port-blocked",
    "script": """
# the outer packets arrive at eth0, and at no socket
node1$ tcpdump -ni eth0 udp
node1$ iptables -D INPUT -p udp --dport 8285 -j DROP
node2$ iptables -D INPUT -p udp --dport 8285 -j DROP
""",
}


# answer: 04.public_ip
public_ip = {
    "cause": "one-public-ip",
    "script": """
node1$ systemctl stop flanneld
node2$ systemctl stop flanneld
node3$ systemctl stop flanneld
node1$ etcdctl del --prefix /coreos.com/network/subnets
node1$ sed -i 's/ --public-ip=10.0.2.15//' /etc/default/flanneld
node2$ sed -i 's/ --public-ip=10.0.2.15//' /etc/default/flanneld
node3$ sed -i 's/ --public-ip=10.0.2.15//' /etc/default/flanneld
node2$ sed -i 's/10.1.15.1/10.1.20.1/' /run/flannel/subnet.env
node3$ sed -i 's/10.1.15.1/10.1.30.1/' /run/flannel/subnet.env
node1$ systemctl start flanneld
node2$ systemctl start flanneld
node3$ systemctl start flanneld
""",
}
