"""The silent ping says that it is down.

finds: 13.halve.a PING_VIP
"""

# answer: 13.halve
halve = {"a": "pod", "b": "endpoints", "c": "overlay", "d": "size"}
