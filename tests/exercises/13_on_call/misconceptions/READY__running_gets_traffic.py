"""Running pods get traffic, so the rules are wrong.

finds: 13.halve.b READY
"""

# answer: 13.halve
halve = {"a": "service", "b": "service", "c": "overlay", "d": "size"}
