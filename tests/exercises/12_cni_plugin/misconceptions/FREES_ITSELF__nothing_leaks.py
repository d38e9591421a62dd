"""Nothing leaks.

finds: 12.sequence.leaked FREES_ITSELF
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": [],
}
