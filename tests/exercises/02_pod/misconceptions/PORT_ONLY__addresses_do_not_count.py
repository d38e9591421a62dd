"""A port can be used once in each namespace, whatever the address.

finds: 02.join.address PORT_ONLY
finds: 02.join.lost PORT_ONLY
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
        free = not any(p == port for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer
