"""f gets the address of lost b.

finds: 12.sequence.wrap FREES_ITSELF
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.3",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
