"""Running, but refused: the program is broken.

finds: 13.halve.b READY
"""

# answer: 13.halve
halve = {"a": "service", "b": "pod", "c": "overlay", "d": "size"}
