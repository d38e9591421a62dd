"""The way to itself fails as well.

finds: 08.bridge.nf MASQ_BRIDGED
"""

# answer: 08.bridge
bridge = {
    "nf_off": ["backend", "backend-b"],
    "answer_from": "10.1.20.3",
    "hairpin_off": ["backend-b"],
}
