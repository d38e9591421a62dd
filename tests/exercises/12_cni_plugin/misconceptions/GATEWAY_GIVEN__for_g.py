"""The first address is left.

finds: 12.sequence.full GATEWAY_GIVEN
"""

# answer: 12.sequence
sequence = {
    "c": "10.77.0.4",
    "d": "10.77.0.5",
    "e": "10.77.0.6",
    "f": "10.77.0.2",
    "g": "10.77.0.1",
    "leaked": ["10.77.0.3", "10.77.0.4"],
}
