"""Now it goes without the tunnel.

finds: 06.talk.route ANOTHER_ROUTE
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "10.1.20.0/24 via 192.168.66.12 dev eth0",
}
