"""Every frame goes to all other ports.

finds: 03.bridge.learn HUB
finds: 03.bridge.flood HUB
finds: 03.bridge.same HUB
finds: 03.bridge.moved HUB
finds: 03.bridge.age HUB
"""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    return [[p for p in ports if p != port] for time, port, src, dst in frames]
