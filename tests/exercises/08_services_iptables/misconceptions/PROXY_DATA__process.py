"""Packets pass through kube-proxy.

finds: 08.path.changed PROXY_DATA
"""

# answer: 08.path
path = {
    "changed": {"netns": "kube-proxy", "box": "kube-proxy"},
    "wire": "10.1.30.2:8080",
    "answer": "10.96.0.10:80",
    "ping": {"ends_in": "router", "route": "default via 192.168.66.1 dev eth0"},
}
