"""What docker0 has forgotten, web2 has forgotten as well.

finds: 03.flood.later ONE_TABLE
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2", "docker0"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": True, "request": ["veth-web1"]},
}
