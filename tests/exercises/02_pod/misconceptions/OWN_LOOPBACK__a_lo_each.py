"""Every container has its own 127.0.0.1.

finds: 02.sockets.inside OWN_LOOPBACK
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "refused", "socket": "none"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}
