"""MASQUERADE puts in the bridge's address.

finds: 07.tuples.reply MASQ_BRIDGE
"""

# answer: 07.tuples
tuples = {
    "original": {"src": "10.1.15.3", "dst": "10.96.0.99", "sport": 40007, "dport": 80},
    "reply": {"src": "10.1.20.4", "dst": "10.1.15.1", "sport": 8080, "dport": 40007},
    "backend_sees": "192.168.66.11",
    "web1_sees": "10.96.0.99",
    "route": "10.1.20.0/24 via 192.168.66.12 dev eth0",
    "rule": "none",
}
