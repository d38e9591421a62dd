"""The entry of web1, who answers.

finds: 03.flood.answer LOOKUP_SRC
"""

# answer: 03.flood
flood = {
    "question": ["veth-web1", "veth-web2", "docker0"],
    "answer": ["veth-web2"],
    "request": ["veth-web1"],
    "entry": "web1:eth0 dev veth-web1",
    "later": {"asks": False, "request": ["veth-web1", "veth-web2"]},
}
