"""A frame leaves by its receiver's port, also if it came from there.

finds: 03.bridge.same BACK_PORT
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
                out = [port]
        else:
            out = [p for p in ports if p != port]
        answer.append(out)
    return answer
