"""pause holds the namespace and its ports.

finds: 02.sockets.clash PAUSE_LISTENS
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "pause", "local80": "pause", "any8080": "nobody"},
}
