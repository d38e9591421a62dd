"""A pod always reaches itself.

finds: 08.bridge.hairpin HAIRPIN
"""

# answer: 08.bridge
bridge = {"nf_off": ["backend"], "answer_from": "10.1.20.3", "hairpin_off": []}
