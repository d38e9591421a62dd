"""DEL leaves the file.

finds: 12.plugin.delete DEL_KEEPS
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", files
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
