"""A Service that answers no ping is down.

finds: 01.service.connect PING_VIP
"""

# answer: 01.service
service = {
    "ping": {"route": "default via 192.168.66.1 dev eth0", "ends_in": "router"},
    "connect": {"outcome": "unreachable", "leaves_for": "service", "arrives_for": "none"},
}
