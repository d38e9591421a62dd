"""ADD writes without looking.

finds: 12.plugin.full FULL_WRITES
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values():
        return None, files
    return free, {**files, free: container}
