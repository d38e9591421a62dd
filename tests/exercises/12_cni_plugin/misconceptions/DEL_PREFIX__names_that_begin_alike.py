"""DEL removes whatever begins like the id.

finds: 12.plugin.delete DEL_PREFIX
finds: 12.plugin.twice DEL_PREFIX
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if not name.startswith(container)}
    if container in files.values() or free is None:
        return None, files
    return free, {**files, free: container}
