"""Pods on one node need flannel.

finds: 06.talk.others LOCAL_TOO
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": False},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
