"""A refusal leaves nothing.

finds: 12.plugin.again REFUSAL_EMPTIES
finds: 12.plugin.full REFUSAL_EMPTIES
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, {}
    return free, {**files, free: container}
