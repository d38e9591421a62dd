"""The new file is all there is.

finds: 12.plugin.add ADD_REPLACES
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {free: container}
