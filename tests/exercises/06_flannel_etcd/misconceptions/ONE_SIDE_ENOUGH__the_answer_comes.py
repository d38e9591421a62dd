"""One good way is enough.

finds: 06.talk.back ONE_SIDE_ENOUGH
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": True},
    "route": "default via 192.168.66.1 dev eth0",
}
