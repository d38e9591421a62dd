"""An address stays at the port where it was seen first.

finds: 03.bridge.moved FIRST_SEEN
"""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    table = {}
    answer = []
    for time, port, src, dst in frames:
        table[src] = (table[src][0] if src in table else port, time)
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
