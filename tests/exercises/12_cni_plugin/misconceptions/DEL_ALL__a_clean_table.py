"""DEL clears the folder.

finds: 12.plugin.delete DEL_ALL
finds: 12.plugin.twice DEL_ALL
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
