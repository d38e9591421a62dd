"""A port can be used once on each node.

finds: 02.join.space NODE_PORTS
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {"node1": [("0.0.0.0", "10250")]}
    answer = []
    for _, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        mine = held.setdefault("node1", [])
        free = not any(p == port and (a == ip or "0.0.0.0" in (a, ip)) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer
