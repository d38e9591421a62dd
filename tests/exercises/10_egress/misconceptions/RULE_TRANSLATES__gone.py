"""The translation ends with its rule.

finds: 10.reply.flushed RULE_TRANSLATES
"""

# answer: 10.reply
reply = {
    "rule_counted": 1,
    "answer_met": 0,
    "on_eth0": "192.168.66.11:40000",
    "on_docker0": "10.1.15.2:40000",
    "after": {"known": "10.1.15.2", "new": "10.1.15.2"},
}
