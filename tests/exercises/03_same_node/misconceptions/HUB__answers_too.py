"""An ARP answer is flooded as the question was.

finds: 03.flood.answer HUB
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2", "docker0"],
    "answer": ["veth-web1", "veth-web2", "docker0"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": False, "request": ["veth-web1", "veth-web2"]},
}
