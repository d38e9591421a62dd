"""What lives here: ``etcdctl``, as it is typed at a prompt: words in, the text that it prints out.

    run(etcd, ["get", "--prefix", "/coreos.com/network"])

It speaks to whatever is an ``api.Etcd``. What etcd refuses, and what the command does not
understand, is a ``BadCommand`` with etcdctl's own ``Error:`` line.

Simplified here: a prompt cannot wait. So ``watch`` prints what there is since ``--rev`` and comes
back, and ``lease keep-alive`` needs ``--once``. ``txn`` reads its three parts from the text that
is given with the command. No authentication, no TLS; ``--endpoints`` is only printed.
Source: etcd's etcdctl/ctlv3/command; compared with etcdctl 3.4 in tests/etcd/test_etcdctl.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.etcd.api import (
    FROM_KEY,
    DeleteRange,
    Etcd,
    EtcdError,
    EtcdUnreachable,
    Put,
    Range,
    prefix_end,
)
from k8snetlib.etcd.etcdctl_flags import GLOBAL, Options, bad_lease, integer, read, refuse
from k8snetlib.etcd.etcdctl_print import VERSION, Fields, Simple
from k8snetlib.etcd.etcdctl_txn import Requests, read_txn
from k8snetlib.etcd.refusal import COMPACTED, LEASE_NOT_FOUND


class Command(NamedTuple):
    """A command: what it does, its flags, what follows its name, and one line of help."""

    run: Callable[[Etcd, Options], list[str]]
    flags: Mapping[str, str]
    usage: str
    help: str


def run(etcd: Etcd, words: list[str], stdin: str = "") -> str:
    """Does what ``etcdctl WORDS`` does, and returns what it prints.

    ``stdin`` is the text that ``txn`` and ``put KEY`` read. Raises ``BadCommand`` with the line
    that etcdctl prints on its standard error.
    """
    name, rest = _command(words)
    if name == "help":
        return _help()
    command = COMMANDS[name]
    options = read(rest, {**command.flags, **GLOBAL}, name, stdin)
    if options.on("help"):
        return _help_on(name, command)
    try:
        lines = command.run(etcd, options)
    except EtcdUnreachable as error:
        raise refuse(error.message, error.hint) from error
    except EtcdError as error:
        what = {"lease grant": "failed to grant lease", "lease revoke": "failed to revoke lease"}
        text = f"{what[name]} ({error.message})" if name in what else error.message
        raise refuse(text, error.hint) from error
    return "\n".join(lines)


def _command(words: list[str]) -> tuple[str, list[str]]:
    """The command's name, of one word or two, and what else was typed; flags may come first."""
    flags: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] not in {"-h", "--help", "--"}:
        flags.append(rest.pop(0))
        if flags[-1] in {"-w", *(f"--{flag}" for flag in GLOBAL)} and rest:
            flags.append(rest.pop(0))
    if not rest or rest[0] in {"-h", "--help", "help"}:
        return "help", []
    first = {"compact": "compaction"}.get(rest[0], rest[0])
    if first in COMMANDS:
        return first, flags + rest[1:]
    groups = {name.partition(" ")[0] for name in COMMANDS if " " in name}
    if first not in groups:
        known = sorted({name.partition(" ")[0] for name in COMMANDS})
        near = nearest(first, known)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise BadCommand(
            f'Error: unknown command "{rest[0]}" for "etcdctl"', f"{meant}Here: {', '.join(known)}."
        )
    both = " ".join([first, *rest[1:2]])
    if both not in COMMANDS:
        inside = [name for name in COMMANDS if name.startswith(f"{first} ")]
        raise BadCommand(f"Error: there is no 'etcdctl {both}'.", f"Here: {', '.join(inside)}.")
    return both, flags + rest[2:]


# -- keys ------------------------------------------------------------------------------------------


def _interval(options: Options) -> tuple[bytes, bytes | None]:
    """The key and the end of a range, as get, del and watch take them."""
    key = options.words[0].encode()
    end = options.words[1].encode() if len(options.words) > 1 else None
    if options.on("prefix") and options.on("from-key"):
        raise refuse("`--prefix` and `--from-key` cannot be set at the same time, choose one")
    if end is not None and (options.on("prefix") or options.on("from-key")):
        raise refuse(
            "too many arguments, only accept one argument when `--prefix` or `--from-key` is set"
        )
    if options.on("prefix"):
        return (key, prefix_end(key)) if key else (b"\0", FROM_KEY)
    if options.on("from-key"):
        return key or b"\0", FROM_KEY
    return key, end


def range_request(options: Options) -> Range:
    """What ``get`` asks for."""
    if not options.words:
        raise refuse("get command needs one argument as key and an optional argument as range_end")
    key, end = _interval(options)
    order, target = options.text("order").upper(), options.text("sort-by").upper()
    if order not in {"", "ASCEND", "DESCEND"}:
        raise refuse(f"bad sort order {options.text('order')}", "ASCEND or DESCEND.")
    targets = {name: name for name in ("", "CREATE", "KEY", "VALUE", "VERSION")} | {"MODIFY": "MOD"}
    if target not in targets:
        hint = "CREATE, KEY, MODIFY, VALUE or VERSION."
        raise refuse(f"bad sort target {options.text('sort-by')}", hint)
    sort_target = targets[target] or "KEY"
    if sort_target == "KEY" and order == "ASCEND":
        order = ""  # keys are in order anyway, so the client does not ask for it
    return Range(
        key, end, options.number("rev"), options.number("limit"),
        options.on("count-only"), options.on("keys-only"), order or "NONE", sort_target,
    )  # fmt: skip


def put_request(options: Options) -> Put:
    """What ``put`` asks for."""
    words, ignore_value = list(options.words), options.on("ignore-value")
    if len(words) == 1 and options.stdin and not ignore_value:
        words.append(options.stdin)
    if len(words) < (1 if ignore_value else 2):
        raise refuse("put command needs 1 argument and input from stdin or 2 arguments")
    if ignore_value and len(words) > 1:
        raise refuse("put command needs only 1 argument when 'ignore-value' is set")
    lease = options.text("lease")
    return Put(
        words[0].encode(), b"" if ignore_value else words[1].encode(),
        bad_lease(lease, "bad lease ID") if lease else 0,
        options.on("prev-kv"), ignore_value, options.on("ignore-lease"),
    )  # fmt: skip


def delete_request(options: Options) -> DeleteRange:
    """What ``del`` asks for."""
    if not 1 <= len(options.words) <= 2:
        raise refuse("del command needs one argument as key and an optional argument as range_end")
    return DeleteRange(*_interval(options), options.on("prev-kv"))


def _get(etcd: Etcd, options: Options) -> list[str]:
    request, printer = range_request(options), options.printer
    if options.on("count-only") and not isinstance(printer, Fields):
        raise refuse("--count-only is only for `--write-out=fields`")
    if options.on("print-value-only"):
        if not isinstance(printer, Simple):
            raise refuse("print-value-only is only for `--write-out=simple`")
        printer = Simple(value_only=True)
    return printer.range(etcd.range(request))


def _put(etcd: Etcd, options: Options) -> list[str]:
    return options.printer.put(etcd.put(put_request(options)))


def _del(etcd: Etcd, options: Options) -> list[str]:
    return options.printer.delete(etcd.delete_range(delete_request(options)))


def _txn(etcd: Etcd, options: Options) -> list[str]:
    requests: Requests = {
        "get": (COMMANDS["get"].flags, range_request),
        "put": (COMMANDS["put"].flags, put_request),
        "del": (COMMANDS["del"].flags, delete_request),
    }
    return options.printer.txn(etcd.txn(read_txn(options.stdin, requests)))


def _compaction(etcd: Etcd, options: Options) -> list[str]:
    if len(options.words) != 1:
        raise refuse("compaction command needs 1 argument")
    revision = integer(options.words[0])
    etcd.compact(revision)
    return [f"compacted revision {revision}"]


def _watch(etcd: Etcd, options: Options) -> list[str]:
    if not 1 <= len(options.words) <= 2:
        raise refuse("bad number of arguments")
    key, end = _interval(options)
    if not options.number("rev"):
        raise BadCommand(
            "This prompt cannot wait for what is still to come.",
            "Give --rev: everything since that revision is printed. Or hold a watch in Python.",
        )
    watch = etcd.watch(key, end, options.number("rev"), prev_kv=options.on("prev-kv"))
    responses = watch.pending()
    watch.cancel()
    lines = []
    for response in responses:
        if response.canceled:
            reason = COMPACTED if response.compact_revision else "mvcc: watcher range is empty"
            since = f"The history begins at revision {response.compact_revision}."
            raise BadCommand(
                f"watch was canceled ({reason})\nError: watch is canceled by the server",
                since if response.compact_revision else "The end must come after the key.",
            )
        if response.events:
            lines += options.printer.watch(response)
    return lines


# -- leases ----------------------------------------------------------------------------------------


def _revision(etcd: Etcd) -> int:
    return etcd.range(Range(b"\0", count_only=True)).revision


def _grant(etcd: Etcd, options: Options) -> list[str]:
    if len(options.words) != 1:
        raise refuse("lease grant command needs TTL argument")
    ttl = integer(options.words[0], "bad TTL ({})")
    return options.printer.grant(etcd.grant(ttl), _revision(etcd))


def _lease(options: Options, command: str, complaint: str) -> int:
    if len(options.words) != 1:
        raise refuse(f"lease {command}")
    return bad_lease(options.words[0], complaint)


def _revoke(etcd: Etcd, options: Options) -> list[str]:
    lease = _lease(options, "revoke command needs 1 argument", "bad lease ID arg")
    etcd.revoke(lease)
    return options.printer.revoke(lease, _revision(etcd))


def _time_to_live(etcd: Etcd, options: Options) -> list[str]:
    complaint = "timetolive command needs lease ID as argument"
    lease = _lease(options, complaint, "bad lease ID arg")
    keys = options.on("keys")
    return options.printer.time_to_live(etcd.time_to_live(lease, keys=keys), _revision(etcd), keys)


def _leases(etcd: Etcd, options: Options) -> list[str]:
    return options.printer.leases(etcd.leases(), _revision(etcd))


def _keep_alive(etcd: Etcd, options: Options) -> list[str]:
    complaint = "keep-alive command needs lease ID as argument"
    lease = _lease(options, complaint, "bad lease ID arg")
    if not options.on("once"):
        raise BadCommand("This prompt cannot keep a lease alive for ever.", "Give --once.")
    renewed = etcd.keep_alive(lease)
    if renewed.ttl <= 0:
        raise refuse(LEASE_NOT_FOUND)
    return options.printer.keep_alive(renewed, _revision(etcd))


# -- the server ------------------------------------------------------------------------------------


def _status(etcd: Etcd, options: Options) -> list[str]:
    endpoint = options.text("endpoints")
    try:
        return options.printer.status(endpoint, _revision(etcd))
    except EtcdUnreachable as error:
        failed = f"Failed to get the status of endpoint {endpoint} ({error.message})"
        raise BadCommand(failed, error.hint) from error


def _health(etcd: Etcd, options: Options) -> list[str]:
    endpoint = options.text("endpoints")
    try:
        _revision(etcd)
    except EtcdUnreachable as error:
        unhealthy = f"{endpoint} is unhealthy: failed to commit proposal: {error.message}"
        raise BadCommand(f"{unhealthy}\nError: unhealthy cluster", error.hint) from error
    return options.printer.health(endpoint)


def _members(etcd: Etcd, options: Options) -> list[str]:
    _revision(etcd)
    return options.printer.members()


def _version(etcd: Etcd, options: Options) -> list[str]:
    return [f"etcdctl version: {VERSION}", f"API version: {VERSION.rpartition('.')[0]}"]


_RANGE = {"prefix": "bool", "from-key": "bool"}
COMMANDS: Mapping[str, Command] = {
    "compaction": Command(
        _compaction, {"physical": "bool"}, "<revision>", "Compacts the event history in etcd"
    ),
    "del": Command(
        _del, _RANGE | {"prev-kv": "bool"}, "<key> [range_end]",
        "Removes the specified key or range of keys [key, range_end)",
    ),
    "endpoint health": Command(_health, {}, "", "Checks the healthiness of the endpoint"),
    "endpoint status": Command(_status, {}, "", "Prints out the status of the endpoint"),
    "get": Command(
        _get,
        _RANGE | {
            "consistency": "text", "count-only": "bool", "keys-only": "bool", "limit": "number",
            "order": "text", "print-value-only": "bool", "rev": "number", "sort-by": "text",
        },
        "<key> [range_end]", "Gets the key or a range of keys",
    ),
    "lease grant": Command(_grant, {}, "<ttl>", "Creates leases"),
    "lease keep-alive": Command(
        _keep_alive, {"once": "bool"}, "<leaseID>", "Keeps leases alive (renew), --once"
    ),
    "lease list": Command(_leases, {}, "", "List all active leases"),
    "lease revoke": Command(_revoke, {}, "<leaseID>", "Revokes leases"),
    "lease timetolive": Command(
        _time_to_live, {"keys": "bool"}, "<leaseID>", "Get lease information"
    ),
    "member list": Command(_members, {}, "", "Lists all members in the cluster"),
    "put": Command(
        _put,
        {"ignore-lease": "bool", "ignore-value": "bool", "lease": "text", "prev-kv": "bool"},
        "<key> <value>", "Puts the given key into the store",
    ),
    "txn": Command(
        _txn, {"interactive": "bool"}, "",
        "Txn processes all the requests in one transaction; it reads conditions, requests if they "
        "hold, and requests if not, a blank line after each part",
    ),
    "version": Command(_version, {}, "", "Prints the version of etcdctl"),
    "watch": Command(
        _watch, _RANGE | {"prev-kv": "bool", "rev": "number"}, "<key> [range_end]",
        "Prints the events on keys or prefixes since --rev and comes back: a prompt cannot wait",
    ),
}  # fmt: skip


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"\t{name.ljust(width)}  {each.help}" for name, each in sorted(COMMANDS.items())]
    head = ["NAME:", "\tetcdctl - A simple command line client for etcd3.", ""]
    usage = ["USAGE:", "\tetcdctl [flags]", "", "VERSION:", f"\t{VERSION}", "", "COMMANDS:"]
    flags = ["", "OPTIONS:", *(f"      --{flag}" for flag in GLOBAL)]
    return "\n".join([*head, *usage, *lines, *flags])


def _help_on(name: str, command: Command) -> str:
    head = ["NAME:", f"\t{name} - {command.help}", ""]
    usage = ["USAGE:", f"\tetcdctl {name} [options] {command.usage}".rstrip(), "", "OPTIONS:"]
    return "\n".join([*head, *usage, *(f"      --{flag}" for flag in {**command.flags, **GLOBAL})])
