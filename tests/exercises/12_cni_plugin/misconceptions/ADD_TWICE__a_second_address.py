"""Each ADD gives an address.

finds: 12.plugin.again ADD_TWICE
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if free is None:
        return None, files
    return free, {**files, free: container}
