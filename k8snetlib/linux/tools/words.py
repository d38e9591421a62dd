"""What lives here: how a tool reads the words behind its name, as iproute2 reads them.

``Words`` walks through them; ``resolve`` finds what an abbreviation means: iproute2 takes the first
entry of its table that begins with what was typed, so ``ip r`` is ``ip route`` although ``ip rule``
exists as well. The order of those tables is therefore part of the interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from k8snetlib.address import Prefix, is_ip, parse_mac
from k8snetlib.errors import BadAddress, BadCommand, nearest

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Device, Netns


class Words:
    """The words of a command line that are still to be read."""

    __slots__ = ("_words",)

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)

    def __bool__(self) -> bool:
        return bool(self._words)

    def next(self) -> str:
        """Takes the next word."""
        return self._words.pop(0)

    def value(self, after: str) -> str:
        """Takes the word behind a keyword; raises ``BadCommand`` if there is none."""
        if not self._words:
            raise BadCommand("Command line is not complete. Try option \"help\".",
                             f"A value must follow '{after}'.")  # fmt: skip
        return self._words.pop(0)


def resolve(typed: str, table: Iterable[str]) -> str | None:
    """The first entry of ``table`` that begins with ``typed`` (``lst`` counts as ``list``)."""
    if typed == "lst":
        typed = "list"
    return next((entry for entry in table if entry.startswith(typed)), None)


def subcommand(typed: str, tool: str, real: Iterable[str], here: Sequence[str]) -> str:
    """The full name of a subcommand.

    Parameters: ``real`` is the tool's own table in its order, ``here`` what is modelled of it.
    Raises ``BadCommand`` in the tool's words for an unknown one, in ours for one not modelled.
    """
    found = resolve(typed, real)
    if found is None:
        near = nearest(typed, here)
        meant = f"Did you mean {near[0]}? " if near else ""
        message = f'Command "{typed}" is unknown, try "{tool} help".'
        raise BadCommand(message, f"{meant}Here: {', '.join(here)}.")
    if found not in here:
        raise BadCommand(f"'{tool} {found}' is not modelled.", f"Here: {', '.join(here)}.")
    return found


def garbage(word: str, supported: Sequence[str], keyword: str = "dev") -> BadCommand:
    """A word that a command does not know, refused as iproute2 does, with what is known."""
    near = nearest(word, supported)
    meant = f"Did you mean {near[0]}? " if near else ""
    return BadCommand(
        f'Error: either "{keyword}" is duplicate, or "{word}" is a garbage.',
        f"{meant}Supported here: {', '.join(supported)}.",
    )


def device_named(ns: Netns, name: str, message: str = 'Cannot find device "{}"') -> Device:
    """The device of that name; raises ``BadCommand`` in iproute2's words, with near names."""
    device = ns.devices.get(name)
    if device is not None:
        return device
    names = nearest(name, ns.devices) or sorted(ns.devices)
    raise BadCommand(message.format(name), f"{ns.name} has {', '.join(names)}.")


def prefix_of(text: str, *, host_bits: bool = False) -> Prefix:
    """``default``, an address, or address/length; raises ``BadCommand`` in iproute2's words."""
    try:
        return Prefix.parse(text, host_bits=host_bits)
    except BadAddress as error:
        if "host bits" in error.message:
            raise BadCommand("Error: Invalid prefix for given prefix length.", error.hint) from None
        message = f'Error: any valid prefix is expected rather than "{text}".'
        raise BadCommand(message, "A prefix looks like 10.1.15.0/24.") from None


def address_of(text: str) -> str:
    """An IPv4 address; raises ``BadCommand`` in iproute2's words."""
    if is_ip(text):
        return text
    message = f'Error: any valid prefix is expected rather than "{text}".'
    raise BadCommand(message, "An address looks like 10.1.15.2.")


def mac_of(text: str) -> str:
    """A MAC address; raises ``BadCommand`` in iproute2's words."""
    try:
        return parse_mac(text)
    except BadAddress as error:
        raise BadCommand(f'"{text}" is invalid lladdr.', error.hint) from None


def number_of(text: str, name: str) -> int:
    """A whole number; raises ``BadCommand`` in iproute2's words."""
    if text.isascii() and text.isdigit():
        return int(text)
    raise BadCommand(f'Error: argument "{text}" is wrong: Invalid "{name}" value')
