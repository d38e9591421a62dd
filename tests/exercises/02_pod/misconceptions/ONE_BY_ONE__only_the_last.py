"""A new socket is compared with the last one only.

finds: 02.join.space ONE_BY_ONE
finds: 02.join.lost LOSER_HOLDS
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    answer = []
    last = None
    for _, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        free = not (namespace == "node1" and port == "10250")
        if last is not None:
            other, a, p = last
            if other == namespace and p == port and (a == ip or "0.0.0.0" in (a, ip)):
                free = False
        last = (namespace, ip, port)
        answer.append((namespace, free))
    return answer
