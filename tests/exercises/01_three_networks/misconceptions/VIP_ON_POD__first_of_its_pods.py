"""The first pod of the Service has the Service's address.

finds: 01.service.ping VIP_ON_POD
"""

# answer: 01.service
service = {
    "ping": {"route": "10.1.0.0/16 dev flannel0", "ends_in": "backend"},
    "connect": {"outcome": "delivered", "leaves_for": "service", "arrives_for": "pod"},
}
