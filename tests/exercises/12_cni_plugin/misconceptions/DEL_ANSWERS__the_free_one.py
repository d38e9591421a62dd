"""DEL answers the address that is free.

finds: 12.plugin.delete DEL_ANSWERS
finds: 12.plugin.twice DEL_ANSWERS
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return free, {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
