"""Where a frame came from, there its receiver is.

finds: 03.bridge.learn LEARN_DST
finds: 03.bridge.flood LEARN_DST
finds: 03.bridge.same LEARN_DST
finds: 03.bridge.moved LEARN_DST
finds: 03.bridge.age LEARN_DST
"""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    table = {}
    answer = []
    for time, port, _, dst in frames:
        if dst != "ff:ff:ff:ff:ff:ff" and dst in table and time - table[dst][1] < 300:
            answer.append([table[dst][0]] if table[dst][0] != port else [])
        else:
            answer.append([p for p in ports if p != port])
        table[dst] = (port, time)
    return answer
