"""tcpdump shows only what iptables let pass.

finds: 07.forward.tap TAP
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": [],
    "mended": {"one": False, "two": True},
}
