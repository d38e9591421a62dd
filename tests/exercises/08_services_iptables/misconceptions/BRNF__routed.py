"""Service traffic is routed, so the bridge's setting does not matter.

finds: 08.bridge.nf BRNF
"""

# answer: 08.bridge
bridge = {"nf_off": [], "answer_from": "10.1.20.3", "hairpin_off": ["backend-b"]}
