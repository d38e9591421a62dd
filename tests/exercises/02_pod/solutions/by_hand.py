"""A dict of sets by hand; predictions as the model prints them."""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {"node1": [("0.0.0.0", "10250")]}
    answer = []
    for _, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        mine = held.setdefault(namespace, [])
        free = not any(p == port and (a == ip or "0.0.0.0" in (a, ip)) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer


# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}


# answer: 02.restart
restart = {
    "down": {"outcome": "refused", "ends_in": "web1"},
    "web": {"address": "10.1.15.3", "started": ["web"]},
    "pause": {"address": "10.1.15.4", "started": ["pause", "web", "sidecar"]},
    "old": {"outcome": "unreachable", "ends_in": "web2", "route": "10.1.15.0/24 dev eth0"},
}


# answer: 02.host
host = {
    "address": "192.168.66.11",
    "namespace": "node1",
    "port10250": "kubelet",
    "port80": "nobody",
    "port9100": "agent",
    "local9000": {"outcome": "refused", "socket": "none"},
    "local10250": {"outcome": "delivered", "socket": "0.0.0.0:10250"},
}


# answer: 02.page
page = {
    "cause": "loopback-bound",
    "script": """
node1$ kubectl delete pod web1
node1$ kubectl apply -f - <<EOF
> apiVersion: v1
> kind: Pod
> metadata:
>   name: web1
>   labels:
>     app: web
> spec:
>   nodeName: node1
>   containers:
>   - name: web
>     image: web
>     ports:
>     - containerPort: 80
> EOF
""",
}
