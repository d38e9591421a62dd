"""It leaves by docker0, so it is for docker0.

finds: 10.reply.ends DEVICE_END
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:40000",
    "on_docker0": "10.1.15.1:40000",
    "after": {"known": "192.168.66.11", "new": "10.1.15.2"},
}
