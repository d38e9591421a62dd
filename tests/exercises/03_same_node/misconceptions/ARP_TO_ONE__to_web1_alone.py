"""The bridge brings the question to the one who is asked.

finds: 03.flood.ask ARP_TO_ONE
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": False, "request": ["veth-web1", "veth-web2"]},
}
