"""The model's own kernel for the sockets; predictions in other forms."""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    node = Netns("node1", "node")
    listen(node, Listener("tcp", "0.0.0.0", 10250, "kubelet"))
    spaces = {"node1": node}
    answer = []
    for container, pod, host_network, socket in starts:
        name = "node1" if host_network else pod
        if name not in spaces:
            spaces[name] = Netns(name, "pod")
        ip, port = socket.split(":")
        try:
            listen(spaces[name], Listener("tcp", ip, int(port), container))
            answer.append([name, True])
        except Exception:
            answer.append([name, False])
    return tuple(answer)


# answer: 02.sockets
sockets = {
    "local": {"outcome": "connected", "socket": "tcp 127.0.0.1:9000"},
    "own": {"outcome": "Connection refused", "socket": "nobody"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "reset", "ends_in": "pod/web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "answered", "socket": "*:80"},
    "clash": {"any80": "web1/web", "local80": "container web", "any8080": "none"},
}


# answer: 02.restart
restart = {
    "down": {"outcome": "RST", "ends_in": "Web1"},
    "web": {"address": "10.1.15.3/24", "started": "web"},
    "pause": {"address": "10.1.15.4", "started": "sidecar, web and pause"},
    "old": {
        "outcome": "Unreachable",
        "ends_in": "web2",
        "route": "10.1.15.0/24 dev eth0 proto kernel scope link src 10.1.15.2",
    },
}


# answer: 02.host
host = {
    "address": "node1",
    "namespace": "node/node1",
    "port10250": "kubelet",
    "port80": "none",
    "port9100": "agent",
    "local9000": {"outcome": "refused", "socket": "-"},
    "local10250": {"outcome": "ok", "socket": "0.0.0.0:10250/tcp"},
}
