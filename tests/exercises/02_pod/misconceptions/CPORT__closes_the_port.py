"""A port that is not listed is closed.

finds: 02.sockets.declared CPORT
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "refused", "socket": "none"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}
