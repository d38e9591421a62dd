"""The dropped packet is seen on docker0, too.

finds: 07.forward.tap TAP_BEHIND
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": ["eth0", "docker0"],
    "mended": {"one": False, "two": True},
}
