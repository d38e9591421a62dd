"""After exactly 300 seconds an address is still known.

finds: 03.bridge.age AT_300
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
        elif dst in table and time - table[dst][1] <= 300:
            out = [table[dst][0]]
            if out == [port]:
                out = []
        else:
            out = [p for p in ports if p != port]
        answer.append(out)
    return answer
