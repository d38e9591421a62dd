"""A broadcast goes to the pods only.

finds: 03.flood.ask NOT_THE_HOST
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web2:eth0 dev veth-web2",
    "later": {"asks": False, "request": ["veth-web1", "veth-web2"]},
}
