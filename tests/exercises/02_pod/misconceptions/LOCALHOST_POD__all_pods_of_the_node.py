"""localhost is the node, with all its pods.

finds: 02.sockets.outside LOCALHOST_POD
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "delivered", "ends_in": "web1"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}
