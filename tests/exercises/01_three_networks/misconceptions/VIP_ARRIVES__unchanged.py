"""The pod receives what was sent to the Service's address.

finds: 01.service.connect VIP_ARRIVES
"""

# answer: 01.service
service = {
    "ping": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router"},
    "connect": {"outcome": "delivered", "leaves_for": "service", "arrives_for": "service"},
}
