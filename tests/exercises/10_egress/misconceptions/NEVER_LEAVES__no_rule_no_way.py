"""Without a rule nothing leaves any more.

finds: 10.reply.flushed NEVER_LEAVES
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:40000",
    "on_docker0": "10.1.15.2:40000",
    "after": {"known": "192.168.66.11", "new": "nobody"},
}
