"""Without an entry a frame is dropped.

finds: 03.bridge.flood UNKNOWN_DROP
finds: 03.bridge.age UNKNOWN_DROP
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
        elif dst in table and time - table[dst][1] < 300:
            out = [table[dst][0]]
            if out == [port]:
                out = []
        else:
            out = []
        answer.append(out)
    return answer
