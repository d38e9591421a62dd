"""The overlay is broken.

finds: 13.halve.d MTU
"""

# answer: 13.halve
halve = {"a": "service", "b": "endpoints", "c": "overlay", "d": "overlay"}
