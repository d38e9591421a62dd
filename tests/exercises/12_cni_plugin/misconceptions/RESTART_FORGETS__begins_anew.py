"""The restart begins the range anew.

finds: 12.sequence.round RESTART_FORGETS
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.2",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
