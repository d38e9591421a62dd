"""Some rule about pods forbids it.

finds: 13.halve.c NETPOL
"""

# answer: 13.halve
halve = {"a": "service", "b": "endpoints", "c": "service", "d": "size"}
