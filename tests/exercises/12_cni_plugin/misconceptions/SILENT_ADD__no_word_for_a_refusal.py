"""A refusal is an empty text.

finds: 12.plugin.again SILENT_ADD
finds: 12.plugin.full SILENT_ADD
"""


# answer: 12.plugin
def plugin(command, container, files, free):
    """The answer, and the files afterwards."""
    if command == "DEL":
        return "", {ip: name for ip, name in files.items() if name != container}
    if container in files.values() or free is None:
        return "", files
    return free, {**files, free: container}
