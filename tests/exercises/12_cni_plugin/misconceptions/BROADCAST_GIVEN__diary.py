"""The range goes up to .7.

finds: 12.sequence.wrap BROADCAST_GIVEN
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.7",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
