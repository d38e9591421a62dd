"""A second ADD answers the same address.

finds: 12.plugin.again ADD_REPEATS
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    for ip, name in files.items():
        if name == container:
            return ip, files
    if free is None:
        return None, files
    return free, {**files, free: container}
