"""Nobody listens in the node's namespace before the first pod.

finds: 02.join.host EMPTY_NODE
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {}
    answer = []
    for _, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        mine = held.setdefault(namespace, [])
        free = not any(p == port and (a == ip or "0.0.0.0" in (a, ip)) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer
