"""The connection is one to port 80.

finds: 10.reply.ends SAME_PORT
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:80",
    "on_docker0": "10.1.15.2:80",
    "after": {"known": "192.168.66.11", "new": "10.1.15.2"},
}
