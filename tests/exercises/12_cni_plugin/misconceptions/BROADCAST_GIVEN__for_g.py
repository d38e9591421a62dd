"""There is one more at the end.

finds: 12.sequence.full BROADCAST_GIVEN
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "10.77.0.7",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
