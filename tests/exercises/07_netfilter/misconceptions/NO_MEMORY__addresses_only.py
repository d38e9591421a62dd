"""A rule for the answer must name its addresses.

finds: 07.forward.mend NO_MEMORY
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": ["eth0"],
    "mended": {"one": False, "two": False},
}
