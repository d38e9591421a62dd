"""A namespace belongs to a container and has its name.

finds: 02.join.space OWN_NS
finds: 02.join.address OWN_NS
finds: 02.join.host OWN_NS
finds: 02.join.lost OWN_NS
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {("node1", True): [("0.0.0.0", "10250")]}
    answer = []
    for container, pod, host_network, socket in starts:
        namespace = "node1" if host_network else pod
        ip, port = socket.split(":")
        mine = held.setdefault((namespace, host_network), [])
        free = not any(p == port and (a == ip or "0.0.0.0" in (a, ip)) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((container, free))
    return answer
