"""f finds nothing behind the last address.

finds: 12.sequence.wrap NO_WRAP
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "refused",
    "g": "refused",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
