"""tcpdump shows nothing.

finds: 07.forward.tap TAP
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": False,
    "mended": {"one": False, "two": True},
}
