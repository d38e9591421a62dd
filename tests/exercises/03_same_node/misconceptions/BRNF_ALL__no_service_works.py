"""Without the sysctl no Service works.

finds: 03.service.far BRNF_ALL
"""

# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "off": {"outcome": "lost", "reply_from": "10.1.20.4"},
    "far": {"outcome": "lost", "reply_from": "10.1.30.2"},
}
