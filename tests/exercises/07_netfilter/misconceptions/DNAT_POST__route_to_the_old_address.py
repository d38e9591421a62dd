"""The route is that of the old destination.

finds: 07.tuples.route DNAT_POST
"""

# answer: 07.tuples
tuples = {
    "original": {"src": "10.1.15.3", "dst": "10.96.0.99", "sport": 40007, "dport": 80},
    "reply": {"src": "10.1.20.4", "dst": "192.168.66.11", "sport": 8080, "dport": 40007},
    "backend_sees": "192.168.66.11",
    "web1_sees": "10.96.0.99",
    "route": "default via 192.168.66.1 dev eth0",
    "rule": "none",
}
