"""The container is the key.

finds: 12.plugin.add KEY_AND_VALUE
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, container: free}
