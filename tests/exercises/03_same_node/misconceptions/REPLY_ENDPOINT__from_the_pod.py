"""The reply comes from the endpoint's own address.

finds: 03.service.on REPLY_ENDPOINT
"""

# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.1.20.4"},
    "off": {"outcome": "lost", "reply_from": "10.1.20.4"},
    "far": {"outcome": "delivered", "reply_from": "10.96.0.10"},
}
