"""Only equal addresses clash.

finds: 02.join.address EXACT
finds: 02.join.lost EXACT
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {"node1": [("0.0.0.0", "10250")]}
    answer = []
    for _, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        mine = held.setdefault(namespace, [])
        free = not any((a, p) == (ip, port) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer
