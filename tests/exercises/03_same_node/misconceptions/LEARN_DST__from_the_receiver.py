"""The bridge learns from the destination address.

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
        table[dst] = (port, time)
        if dst == "ff:ff:ff:ff:ff:ff":
            out = [p for p in ports if p != port]
        elif dst in table and time - table[dst][1] < 300:
            out = [table[dst][0]]
            if out == [port]:
                out = []
        else:
            out = [p for p in ports if p != port]
        answer.append(out)
    return answer
