"""What lives here: addresses with the names of their owners, for every text that people read.

``10.1.20.3`` alone tells a learner little; ``10.1.20.3 (backend)`` tells who is meant. The story
and the pictures say it alike, because both ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from k8snetlib.trace import Names

_ADDRESS = re.compile(
    r"(?P<quoted>(?<!\w)'[^']*')"
    r"|(?P<mac>\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b)"
    r"|(?P<ip>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d/]|\.\d))(?P<port>:\d+)?"
)


def owner_words(owner: str) -> str:
    """``node1 docker0`` or ``node1:docker0`` as people say it: ``docker0 of node1``."""
    parts = owner.replace(":", " ").split()
    return f"{parts[1]} of {parts[0]}" if len(parts) == 2 else owner


def annotate(text: str, names: Names, known: Iterable[str] = ()) -> str:
    """Adds the owner's name to every address: ``10.1.20.3 (backend)``.

    Nothing is said twice: an address gets its name once in a text, and not where the text named
    the owner before. Subnets (``10.1.20.0/24``) and what stands in quotation marks (a route as
    ``ip route`` prints it) are left as they are; so are addresses of the owners in ``known``.
    """
    done: set[str] = set()
    told = set(known)

    def name(match: re.Match[str]) -> str:
        whole, address = match[0], match["mac"] or match["ip"]
        if not address or address in done:
            return whole
        owner = names.macs.get(address) if match["mac"] else names.ips.get(address)
        if not owner or owner in told or not address.strip("0:"):
            return whole
        done.add(address)
        told.add(owner)
        before, after = text[: match.start()], text[match.end() :]
        if after.startswith(" (") or _says(before, owner):
            return whole
        return f"{whole} ({owner_words(owner)})"

    return _ADDRESS.sub(name, text)


def _says(text: str, owner: str) -> bool:
    forms = {owner, owner_words(owner)}
    return any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text) for form in forms)
