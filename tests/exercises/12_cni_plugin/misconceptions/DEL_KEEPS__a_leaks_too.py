"""DEL did not free a's address.

finds: 12.sequence.leaked DEL_KEEPS
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": ["10.77.0.2", "10.77.0.3", "10.77.0.4"],
}
