"""The socket says no to web2.

finds: 02.sockets.outside SOCKET_REFUSES
"""

# answer: 02.sockets
sockets = {
    "local": {"outcome": "delivered", "socket": "127.0.0.1:9000"},
    "own": {"outcome": "refused", "socket": "none"},
    "peer": {"outcome": "refused", "socket": "127.0.0.1:9000"},
    "neighbour": {"outcome": "refused", "ends_in": "web2"},
    "declared": {"outcome": "refused", "socket": "none"},
    "undeclared": {"outcome": "delivered", "socket": "0.0.0.0:80"},
    "clash": {"any80": "web", "local80": "web", "any8080": "nobody"},
}
