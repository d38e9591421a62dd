"""10.1.0.0/16 stays.

finds: 06.talk.route ONE_ROUTE
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "10.1.0.0/16 dev flannel.1",
}
