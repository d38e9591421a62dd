"""docker0 still knows web1's port.

finds: 03.flood.later NO_AGEING
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2", "docker0"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": False, "request": ["veth-web1"]},
}
