"""The answer needs no rule in filter.

finds: 07.forward.mend REPLY_FREE
"""

# answer: 07.forward
forward = {
    "web2_backend": False,
    "web2_node2": True,
    "node2_web2": True,
    "backend_backend_b": False,
    "seen_on": ["eth0"],
    "mended": {"one": True, "two": True},
}
