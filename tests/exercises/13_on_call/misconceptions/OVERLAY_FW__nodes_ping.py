"""The nodes ping each other, so it is the pod.

finds: 13.halve.c OVERLAY_FW
"""

# answer: 13.halve
halve = {"a": "service", "b": "endpoints", "c": "pod", "d": "size"}
