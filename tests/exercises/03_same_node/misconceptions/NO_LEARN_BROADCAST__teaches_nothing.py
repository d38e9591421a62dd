"""A broadcast teaches the bridge nothing.

finds: 03.bridge.learn NO_LEARN_BROADCAST
"""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    table = {}
    answer = []
    for time, port, src, dst in frames:
        if dst != "ff:ff:ff:ff:ff:ff":
            table[src] = (port, time)
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
