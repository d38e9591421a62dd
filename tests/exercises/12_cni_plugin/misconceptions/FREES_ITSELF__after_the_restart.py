"""The restart has freed b's address.

finds: 12.sequence.round FREES_ITSELF
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.3",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
