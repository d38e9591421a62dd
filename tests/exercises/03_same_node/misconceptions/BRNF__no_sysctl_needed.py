"""Same-node Service traffic needs no sysctl.

finds: 03.service.off BRNF
"""

# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "off": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "far": {"outcome": "delivered", "reply_from": "10.96.0.10"},
}
