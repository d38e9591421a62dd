"""web2 looks up the pod and sends to it.

finds: 01.service.connect DNAT_IN_POD
"""

# answer: 01.service
service = {
    "ping": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router"},
    "connect": {"outcome": "delivered", "leaves_for": "pod", "arrives_for": "pod"},
}
