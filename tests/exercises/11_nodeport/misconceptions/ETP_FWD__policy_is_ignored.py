"""The policy changes nothing about the choice.

finds: 11.targets.local ETP_FWD
finds: 11.targets.nodes NODE_INSIDE
"""


# answer: 11.targets
def targets(policy, source, entry, endpoints):
    """The pods that may be chosen."""
    return [pod for pod, node in endpoints]
