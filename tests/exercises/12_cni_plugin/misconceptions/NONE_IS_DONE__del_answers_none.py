"""DEL answers None when it is done.

finds: 12.plugin.delete NONE_IS_DONE
finds: 12.plugin.twice DEL_ONCE
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return None, {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
