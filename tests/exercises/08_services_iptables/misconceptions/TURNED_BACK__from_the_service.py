"""The lost answer comes from the Service.

finds: 08.bridge.answer TURNED_BACK
"""

# answer: 08.bridge
bridge = {"nf_off": ["backend"], "answer_from": "10.96.0.10", "hairpin_off": ["backend-b"]}
