"""What comes from another node has the endpoint's address.

finds: 03.service.far REPLY_ENDPOINT
"""

# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "off": {"outcome": "lost", "reply_from": "10.1.20.4"},
    "far": {"outcome": "delivered", "reply_from": "10.1.30.2"},
}
