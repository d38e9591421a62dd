"""Every pod has a namespace of its own, with its own name.

finds: 02.join.space HOST_OWN
finds: 02.join.host HOST_OWN
"""


# answer: 02.join
def join_netns(starts):
    """For each container: (its namespace, True if its socket opens)."""
    held = {"node1": [("0.0.0.0", "10250")]}
    answer = []
    for _, pod, _host, socket in starts:
        namespace = pod
        ip, port = socket.split(":")
        mine = held.setdefault(namespace, [])
        free = not any(p == port and (a == ip or "0.0.0.0" in (a, ip)) for a, p in mine)
        if free:
            mine.append((ip, port))
        answer.append((namespace, free))
    return answer
