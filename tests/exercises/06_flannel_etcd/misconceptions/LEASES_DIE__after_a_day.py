"""Leases expire while all of etcd is down.

finds: 06.talk.down LEASES_DIE
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": False},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "default via 192.168.66.1 dev eth0",
}
