"""kube-proxy receives what is sent to a Service.

finds: 01.service.ping PROXY_DATA
"""

# answer: 01.service
service = {
    "ping": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "kube-proxy"},
    "connect": {"outcome": "delivered", "leaves_for": "service", "arrives_for": "pod"},
}
