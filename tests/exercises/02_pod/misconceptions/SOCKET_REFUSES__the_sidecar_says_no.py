"""The socket says no.

finds: 02.sockets.inside SOCKET_REFUSES
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "127.0.0.1:9000"},
    "peer": {"outcome": "refused", "socket": "none"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}
