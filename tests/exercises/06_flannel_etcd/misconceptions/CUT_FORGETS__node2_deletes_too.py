"""The node that is cut off forgets its routes.

finds: 06.talk.back CUT_FORGETS
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": False, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
