"""What lives here: the words after ``etcdctl COMMAND``, taken apart as its flag library does.

Flags may stand anywhere; ``--flag=value`` and ``--flag value`` are the same; what follows ``--`` is
no flag. Source: the behaviour of etcdctl 3.4 (github.com/spf13/pflag).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from k8snetlib.errors import BadCommand
from k8snetlib.etcd.etcdctl_print import PRINTERS, Printer

#: The flags of every command, and what each takes.
GLOBAL: Mapping[str, str] = {
    "command-timeout": "text",
    "dial-timeout": "text",
    "endpoints": "text",
    "help": "bool",
    "write-out": "text",
}
_DEFAULTS = {"endpoints": "127.0.0.1:2379", "write-out": "simple"}
_SHORT = {"-w": "--write-out", "-h": "--help"}
_BOOLEAN = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Options(NamedTuple):
    """What was typed after a command: its flags by name, the other words, and the text to read."""

    flags: Mapping[str, str]
    words: tuple[str, ...]
    stdin: str
    printer: Printer

    def on(self, flag: str) -> bool:
        """Is a flag set that is on or off?"""
        return bool(self.flags.get(flag))

    def text(self, flag: str) -> str:
        """What a flag says; its default if it was not given."""
        return self.flags.get(flag, _DEFAULTS.get(flag, ""))

    def number(self, flag: str) -> int:
        """The number that a flag gives; 0 if it was not given."""
        return int(self.flags.get(flag, "0"))


def refuse(text: str, hint: str = "") -> BadCommand:
    """What etcdctl prints when it gives up."""
    return BadCommand(f"Error: {text}", hint)


def integer(word: str, complaint: str = "{}", base: int = 10) -> int:
    """A whole number of 64 bits as Go reads it; ``complaint`` says where ``{}`` went wrong."""
    digits = word.removeprefix("-").removeprefix("+")
    error = "invalid syntax"
    if digits.isascii() and digits.isalnum() and "_" not in word:
        try:
            number = int(word, base)
        except ValueError:
            pass
        else:
            if -(2**63) <= number < 2**63:
                return number
            error = "value out of range"
    raise refuse(complaint.format(f'strconv.ParseInt: parsing "{word}": {error}'))


def bad_lease(word: str, complaint: str) -> int:
    """The id of a lease, which is written in hexadecimal digits."""
    return integer(word, complaint + " ({}), expecting ID in Hex", 16)


def read(words: list[str], known: Mapping[str, str], command: str, stdin: str) -> Options:
    """Takes the words apart; ``known`` says of each flag whether it is bool, number or text."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += left
            break
        if word == "-" or not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = _long(word).partition("=")
        flag = name.removeprefix("--")
        if flag not in known:
            listed = ", ".join(f"--{each}" for each in known)
            raise refuse(_unknown(word, name), f"etcdctl {command} knows {listed}.")
        if known[flag] == "bool":
            flags[flag] = _boolean(flag, value if equals else "true")
        else:
            if not equals:
                if not left:
                    raise refuse(f"flag needs an argument: {word}")
                value = left.pop(0)
            if known[flag] == "number":
                integer(value, f'invalid argument "{value}" for "--{flag}" flag: {{}}')
            flags[flag] = value
    kind = flags.get("write-out", "simple")
    if kind not in PRINTERS:
        raise refuse("unsupported output format", f"Here: {', '.join(PRINTERS)}.")
    return Options(flags, tuple(rest), stdin, PRINTERS[kind]())


def _long(word: str) -> str:
    """-w json, -w=json and -wjson are all --write-out."""
    long = _SHORT.get(word[:2])
    if long is None or word.startswith("--"):
        return word
    value = word[2:].removeprefix("=")
    return f"{long}={value}" if value else long


def _unknown(word: str, name: str) -> str:
    if word.startswith("--"):
        return f"unknown flag: {name}"
    return f"unknown shorthand flag: '{word[1]}' in {word}"


def _boolean(flag: str, value: str) -> str:
    on = _BOOLEAN.get(value.lower())
    if on is None:
        parse = f'strconv.ParseBool: parsing "{value}": invalid syntax'
        raise refuse(f'invalid argument "{value}" for "--{flag}" flag: {parse}')
    return "true" if on else ""
