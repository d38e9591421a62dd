"""One route for all pods of others.

finds: 01.known.routes ONE_ROUTE
"""

# answer: 01.known
known = {
    "web1": "10.1.15.0/24 dev docker0",
    "web2": "10.1.15.0/24 dev docker0",
    "backend": "10.1.0.0/16 dev flannel0",
    "lines": {"now": 5, "pods": 5, "node": 6},
    "moved": {"route": "10.1.20.0/24 via 192.168.66.12 dev eth0", "ends_in": "node2"},
}
