"""The others notice at once that node2 is cut off.

finds: 06.talk.cut AT_ONCE
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": False, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
