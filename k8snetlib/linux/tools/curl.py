"""What lives here: ``curl``: fetches a page, or says why it cannot, as curl 7.88 does.

The servers of this model answer a request with one line that says who they are and whom they saw;
that line is the page.

A name is resolved first, by packets, if there is an ``/etc/resolv.conf``.

Simplified here: http and IPv4 only; the first address of a name only; no progress meter. The kernel
gives a connection up after 131 seconds on the model's clock (ip-sysctl, tcp_syn_retries=6), so say
``-m``.
"""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from k8snetlib.errors import BadCommand
from k8snetlib.linux.exchange import heard, joined, send
from k8snetlib.linux.tools.names import look_up
from k8snetlib.linux.tools.words import Words
from k8snetlib.trace import Exchange

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

#: Seconds until the kernel stops trying to connect.
KERNEL_PATIENCE = 131.0
_URL = re.compile(r"(?:(\w+)://)?([^/:]+)(?::(\d+))?(/.*)?")
_FLAGS = {"-s": "s", "--silent": "s", "-S": "S", "--show-error": "S", "-4": "4", "--ipv4": "4"}
_SECONDS = {"-m": "all", "--max-time": "all", "--connect-timeout": "connect"}
_HERE = "curl [-s] [-S] [-m SECONDS] [--connect-timeout SECONDS] http://HOST[:PORT]/PATH"


class Options(NamedTuple):
    """What was asked for; times in seconds, None: as long as the kernel tries."""

    host: str
    port: int
    path: str
    silent: bool
    most: float | None
    connect: float | None


def run(ns: Netns, words: list[str]) -> str:
    """``curl [-s] [-S] [-m S] [--connect-timeout S] http://HOST[:PORT]/PATH``"""
    options = _options(words)
    assert ns.network is not None, "a namespace outside of a network has nobody to ask"
    limits = [s for s in (options.most, options.connect) if s is not None]
    patience = min(limits, default=KERNEL_PATIENCE)
    unknown = "curl: (6) Could not resolve host: {}"
    began = ns.network.now
    found = look_up(ns, options.host, unknown, patience if limits else inf)
    spent = ns.network.now - began
    if not found.ip:
        said = unknown.format(options.host)
        if limits and spent >= patience:
            said = f"curl: (28) Resolving timed out after {int(spent * 1000)} milliseconds"
        ns.network.last = found.packets or ns.network.last
        return "" if options.silent else said
    request = (
        f"GET {options.path} HTTP/1.1\r\nHost: {_host(options)}\r\n"
        "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
    )
    exchange = send(
        ns.network, ns, found.ip, options.port, proto="tcp", payload=request.encode(),
        patience=patience - spent if limits else patience,
    )  # fmt: skip
    ns.network.last = joined(found.packets, exchange.packets)
    if exchange.ok:
        return heard(exchange, ns.name).decode("utf-8", "replace").rstrip("\n")
    said = _complaint(exchange, options, spent)
    return "" if options.silent else said


def _options(words: list[str]) -> Options:
    line, flags = Words(words), set[str]()
    seconds: dict[str, float] = {}
    url = ""
    while line:
        word = line.next()
        if word in _SECONDS:
            seconds[_SECONDS[word]] = _number(line.value(word))
        elif word in _FLAGS:
            flags.add(_FLAGS[word])
        elif re.fullmatch(r"-[sS4]+", word):
            flags |= set(word[1:])
        elif re.fullmatch(r"-[sS4]*m.*", word):
            flags |= set(word[1 : word.index("m")])
            seconds["all"] = _number(word[word.index("m") + 1 :] or line.value(word))
        elif word.startswith("-") or url:
            raise BadCommand(f"curl: '{word}' is not modelled.", f"Here: {_HERE}.")
        else:
            url = word
    if not url:
        raise BadCommand("curl: try 'curl --help' or 'curl --manual' for more information", _HERE)
    found = _URL.fullmatch(url)
    if found is None or not found[2]:
        raise BadCommand("curl: (3) URL using bad/illegal format or missing URL", _HERE)
    if found[1] not in (None, "http"):
        raise BadCommand(f"curl: {found[1]} is not modelled.", f"Here: {_HERE}.")
    port = int(found[3] or 80)
    if not 0 < port <= 65535:
        raise BadCommand("curl: (3) URL using bad/illegal format or missing URL", "Port: 1-65535.")
    silent = "s" in flags and "S" not in flags
    return Options(
        found[2], port, found[4] or "/", silent, seconds.get("all"), seconds.get("connect")
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadCommand(f"curl: '{text}' is no number of seconds.", f"Here: {_HERE}.") from None


def _host(options: Options) -> str:
    return options.host if options.port == 80 else f"{options.host}:{options.port}"


def _complaint(exchange: Exchange, options: Options, spent: float) -> str:
    took = int((spent + exchange.elapsed) * 1000)
    connecting = f"Failed to connect to {options.host} port {options.port} after {took} ms"
    if exchange.outcome in ("lost", "dropped"):
        limit, connect = options.most, options.connect
        if limit is not None and (connect is None or limit <= connect):
            return f"curl: (28) Connection timed out after {took} milliseconds"
        if connect is not None:
            return f"curl: (28) {connecting}: Timeout was reached"
        return f"curl: (28) {connecting}: Couldn't connect to server"
    return f"curl: (7) {connecting}: Couldn't connect to server"
