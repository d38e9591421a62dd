"""DEL refuses what it does not know.

finds: 12.plugin.twice DEL_ONCE
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL" and container not in files.values():
        return None, files
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
