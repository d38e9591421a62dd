"""node1 keeps the route.

finds: 06.talk.route ROUTE_STAYS
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "10.1.20.0/24 via 10.1.20.0 dev flannel.1 onlink",
}
