"""Without the sysctl no rule sees the request.

finds: 03.service.off NO_RULES_AT_ALL
"""

# answer: 03.service
service = {
    "on": {"outcome": "delivered", "reply_from": "10.96.0.10"},
    "off": {"outcome": "unreachable", "reply_from": "none"},
    "far": {"outcome": "delivered", "reply_from": "10.96.0.10"},
}
