"""What lives here: the prompt of a network namespace, and the tools that can be typed there.

``run(ns, command)`` is what ``ns.sh(command)`` calls. Each tool is one small module with one
function ``run(ns, words)`` that reads or changes the namespace's state and returns the text that
the real tool prints; ``TOOLS`` lists them. A new tool is a new module and a line in that table.
Tools of rooms further on (``etcdctl``) are put into ``ns.commands`` by whoever installs them there.

Two kinds of "no": what the real tool would refuse is refused in its own words (``RTNETLINK answers:
File exists``), with a hint; what this version does not carry is refused by naming what it does.

A command may be given its text by a here-document (``<<EOF``).

Simplified here: no pipes, no variables, no other redirections; blanks at the ends of lines are not
printed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.linux.tools import (
    bridge,
    cat,
    conntrack,
    curl,
    dig,
    edit,
    hostname,
    ip,
    ipset,
    iptables,
    iptables_save,
    ipvsadm,
    nft,
    nslookup,
    ping,
    ss,
    sysctl,
    systemctl,
    tcpdump,
    traceroute,
)
from k8snetlib.linux.tools.instead import INSTEAD

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

Tool = Callable[["Netns", list[str]], str]

#: What can be typed: the command's name -> the function that does it.
TOOLS: Mapping[str, Tool] = {
    "bridge": bridge.run,
    "cat": cat.run,
    "conntrack": conntrack.run,
    "curl": curl.run,
    "dig": dig.run,
    "hostname": hostname.run,
    "ip": ip.run,
    "ipset": ipset.run,
    "journalctl": systemctl.journal,
    "iptables": iptables.run,
    "iptables-save": iptables_save.run,
    "ipvsadm": ipvsadm.run,
    "ls": cat.ls,
    "nslookup": nslookup.run,
    "ping": ping.run,
    "rm": cat.rm,
    "sed": edit.sed,
    "ss": ss.run,
    "sysctl": sysctl.run,
    "systemctl": systemctl.run,
    "tcpdump": tcpdump.run,
    "traceroute": traceroute.run,
}
#: Those that read a text besides their words.
READERS: Mapping[str, Callable[[Netns, list[str], str], str]] = {
    "iptables-restore": iptables_save.restore,
    "nft": nft.run,
    "tee": edit.tee,
}

#: ``<<EOF``, ``<<-EOF``, ``<<'EOF'``: the lines that follow, up to one that is EOF alone.
_HERE_DOCUMENT = re.compile(r"<<(-?)\s*(['\"]?)(\w+)\2")
_BETWEEN = frozenset({";", "&&"})


def run(ns: Netns, command: str, stdin: str = "") -> str:
    """Types ``command`` in a namespace and returns what the real tools would print.

    ``stdin`` is the text that a command reads which reads one (``iptables-restore``, ``etcdctl``).

    Several commands may stand in one text, separated by ``;``, ``&&`` or new lines; lines that
    begin with ``#`` are comments. Raises ``BadCommand`` for what the real tool would refuse, and
    for commands and options that are not modelled; those before it have been carried out.
    """
    printed = []
    for words, text in _commands(command):
        name, rest = words[0], words[1:]
        given = stdin if text is None else text
        if name in READERS:
            printed.append(READERS[name](ns, rest, given))
        elif name in TOOLS:
            printed.append(TOOLS[name](ns, rest))
        elif name in ns.commands:
            printed.append(ns.commands[name](ns, rest, given))
        else:
            raise _unknown(ns, name)
    lines = "\n".join(text for text in printed if text).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _commands(text: str) -> Iterator[tuple[list[str], str | None]]:
    """The commands of a text, each as its words; and the text of a here-document, which belongs to
    the last command of its line."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        here: str | None = None
        if found := _HERE_DOCUMENT.search(line):
            line, here = line[: found.start()] + line[found.end() :], ""
            for behind in lines:
                if (behind.lstrip("\t") if found[1] else behind) == found[3]:
                    break
                here += f"{behind}\n"
        words: list[str] = []
        for word in _words(line):
            if word in _BETWEEN:
                if words:
                    yield words, None
                words = []
            else:
                words.append(word)
        if words:
            yield words, here


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise BadCommand(f"The command '{line.strip()}' has an open quotation mark.") from error
    for word in words:
        if word not in _BETWEEN and set(word) <= set(";&|<>"):
            hint = (
                "Ask for less (iptables -S CHAIN, journalctl -u UNIT -n 5), or filter in Python: "
                "text.splitlines()."
            )
            if ">" in word:
                hint = "A file is written with tee FILE <<EOF."
            raise BadCommand(
                f"This prompt has no '{word}': pipes and files belong to a shell.", hint
            )
        if word.startswith(("$", "`")):
            raise BadCommand(f"This prompt has no variables: '{word}'.", "Write the value itself.")
    if words[:1] == ["sudo"]:
        words = words[1:]  # everybody is root here
    return words


def _unknown(ns: Netns, name: str) -> BadCommand:
    if name in INSTEAD:
        return BadCommand(f"{name}: command not found.", INSTEAD[name])
    here = sorted({*TOOLS, *READERS, *ns.commands})
    near = nearest(name, here)
    meant = f"Did you mean {near[0]}? " if near else ""
    return BadCommand(f"{name}: command not found.", f"{meant}Here: {', '.join(here)}.")
