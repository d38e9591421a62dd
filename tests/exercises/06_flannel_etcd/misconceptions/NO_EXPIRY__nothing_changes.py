"""Nothing changes for the others.

finds: 06.talk.cut NO_EXPIRY
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": True, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
