"""With ipaddress and struct: what most people will write."""


# answer: 04.lookup
def lookup(routes, dst):
    """The route that decides, or None."""
    address = ipaddress.ip_address(dst)
    found = [route for route in routes if address in ipaddress.ip_network(route[0])]
    return max(found, key=lambda route: ipaddress.ip_network(route[0]).prefixlen, default=None)


# answer: 04.encapsulate
def encapsulate(inner, source, target):
    """The outer packet that leaves eth0, or None."""
    if inner[8] <= 1:
        return None
    inner = with_checksum(inner[:8] + bytes([inner[8] - 1]) + inner[9:])
    udp = struct.pack("!HHHH", 8285, 8285, 8 + len(inner), 0)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(inner), 0, 0x4000, 64, 17, 0)
    return with_checksum(ip + ends) + udp + inner


def with_checksum(packet):
    """The packet with a fresh IPv4 header checksum."""
    header = packet[:10] + bytes(2) + packet[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]


# answer: 04.headers
headers = {
    "ethernet": {"src": "node1:eth0", "dst": "node2:eth0"},
    "outer": {
        "src": "192.168.66.11",
        "dst": "192.168.66.12",
        "sport": 8285,
        "dport": 8285,
        "ttl": 64,
    },
    "inner": {"src": "10.1.15.2", "dst": "10.1.20.3", "sport": 40004, "dport": 8080, "ttl": 62},
    "route": "10.1.0.0/16 dev flannel0",
    "lease": "10.1.20.0/24 -> 192.168.66.12",
}


# answer: 04.decapsulate
def decapsulate(packet):
    """The inner packet that flanneld writes into flannel0, or None."""
    port = struct.unpack("!H", packet[22:24])[0]
    inner = packet[28:]
    if port != 8285 or inner[8] <= 1:
        return None
    header = inner[:8] + bytes([inner[8] - 1]) + inner[9:10] + bytes(2) + inner[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + inner[20:]


# answer: 04.stopped
stopped = {
    "node1": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router", "told": "nobody"},
    "node2": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "node2", "told": "node1"},
}


# answer: 04.blocked
blocked = {
    "cause": "overlay_port_blocked",
    "script": """node1$ iptables -I INPUT -p udp --dport 8285 -s 192.168.66.0/24 -j ACCEPT
node2$ iptables -I INPUT -p udp --dport 8285 -s 192.168.66.0/24 -j ACCEPT""",
}


# answer: 04.public_ip
public_ip = {
    "cause": "one-public-ip",
    "script": """
node1$ systemctl stop flanneld
node2$ systemctl stop flanneld
node3$ systemctl stop flanneld
node1$ etcdctl del --prefix /coreos.com/network/subnets
node1$ etcdctl put /coreos.com/network/subnets/10.1.15.0-24 '{"PublicIP":"192.168.66.11"}'
node1$ etcdctl put /coreos.com/network/subnets/10.1.20.0-24 '{"PublicIP":"192.168.66.12"}'
node1$ etcdctl put /coreos.com/network/subnets/10.1.30.0-24 '{"PublicIP":"192.168.66.13"}'
node1$ tee /etc/default/flanneld <<EOF
> FLANNELD_OPTIONS="--ip-masq --iface=eth0"
> EOF
node2$ tee /etc/default/flanneld <<EOF
> FLANNELD_OPTIONS="--ip-masq --iface=eth0"
> EOF
node3$ tee /etc/default/flanneld <<EOF
> FLANNELD_OPTIONS="--ip-masq --iface=eth0"
> EOF
node1$ systemctl start flanneld
node2$ systemctl start flanneld
node3$ systemctl start flanneld
""",
}
