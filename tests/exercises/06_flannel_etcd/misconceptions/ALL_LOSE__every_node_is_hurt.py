"""One lost lease hurts every node.

finds: 06.talk.others ALL_LOSE
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": False, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
