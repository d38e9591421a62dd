"""The pod gets the answer as it came.

finds: 10.reply.ends NOT_TURNED_BACK
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:40000",
    "on_docker0": "192.168.66.11:40000",
    "after": {"known": "192.168.66.11", "new": "10.1.15.2"},
}
