"""The SYN/ACK is ext's packet.

finds: 10.reply.ends SOURCE_END
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "203.0.113.10:80",
    "on_docker0": "10.1.15.2:40000",
    "after": {"known": "192.168.66.11", "new": "10.1.15.2"},
}
