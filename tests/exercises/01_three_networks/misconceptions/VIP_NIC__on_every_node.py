"""A device of every node has the Service's address.

finds: 01.service.ping VIP_NIC
"""

# answer: 01.service
service = {
    "ping": {"route": "10.96.0.0/16 dev docker0", "ends_in": "node1"},
    "connect": {"outcome": "delivered", "leaves_for": "service", "arrives_for": "pod"},
}
