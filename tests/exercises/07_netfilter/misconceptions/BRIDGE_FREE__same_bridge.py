"""Bridged packets do not cross FORWARD.

finds: 07.forward.flows BRIDGE_FREE
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": True,
    "seen_on": ["eth0"],
    "mended": {"one": False, "two": True},
}
