"""c takes the address of a.

finds: 12.sequence.round LOWEST_FREE
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.2",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
