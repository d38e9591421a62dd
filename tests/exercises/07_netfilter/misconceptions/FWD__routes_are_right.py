"""Right routes mean that packets flow.

finds: 07.forward.flows FWD
"""

# answer: 07.forward
forward = {
    "web2_backend": True,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": True,
    "seen_on": ["eth0"],
    "mended": {"one": False, "two": True},
}
