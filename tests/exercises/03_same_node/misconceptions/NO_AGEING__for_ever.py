"""A bridge never forgets.

finds: 03.bridge.age NO_AGEING
"""


# answer: 03.bridge
def bridge(frames, ports):
    """For each frame, the list of ports by which it leaves."""
    table = {}
    answer = []
    for time, port, src, dst in frames:
        table[src] = (port, time)
        if dst == "ff:ff:ff:ff:ff:ff":
            out = [p for p in ports if p != port]
        elif dst in table:
            out = [table[dst][0]]
            if out == [port]:
                out = []
        else:
            out = [p for p in ports if p != port]
        answer.append(out)
    return answer
