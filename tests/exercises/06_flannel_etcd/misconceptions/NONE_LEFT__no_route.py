"""The route is gone, so there is none.

finds: 06.talk.route NONE_LEFT
"""

# answer: 06.talk
talk = {
    "down": {"t1": True, "t3": True},
    "cut": {"t1": True, "t2": False, "other_node": True, "same_node": True},
    "back": {"request": True, "answer": False},
    "route": "none",
}
