"""A node's own packets cross FORWARD.

finds: 07.forward.flows OWN_TOO
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": False,
    "node2_web2": False,
    "backend_backend_b": False,
    "seen_on": ["eth0"],
    "mended": {"one": False, "two": True},
}
