"""What lives here: ``ipvsadm``: the virtual servers of IPVS, listed and changed.

Simplified here: always numeric, as with ``-n`` (the real one asks DNS for names); only NAT
forwarding (``-m``); no firewall marks, thresholds or daemons. No output here could be compared with
the real tool at work, since no kernel with IPVS was at hand: it follows the tool's source.

Source: ipvsadm(8), ipvsadm.c of ipvsadm 1.31.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from k8snetlib.address import is_ip
from k8snetlib.errors import BadCommand, K8sNetError
from k8snetlib.linux.ipvs.path import forget_expired
from k8snetlib.linux.ipvs.table import (
    Connection,
    Counters,
    Key,
    RealServer,
    VirtualServer,
    with_port,
)
from k8snetlib.linux.tools.words import Words

if TYPE_CHECKING:
    from k8snetlib.linux.netns import Netns

VERSION = "IP Virtual Server version 1.2.1 (size=4096)"
_COMMANDS = {
    "-L": "list", "-l": "list", "--list": "list", "-A": "add", "--add-service": "add",
    "-E": "edit", "--edit-service": "edit", "-D": "delete", "--delete-service": "delete",
    "-a": "add server", "--add-server": "add server", "-e": "edit server",
    "--edit-server": "edit server", "-d": "delete server", "--delete-server": "delete server",
    "-C": "clear", "--clear": "clear", "-S": "save", "--save": "save",
}  # fmt: skip
_SERVICE = {"-t": "tcp", "--tcp-service": "tcp", "-u": "udp", "--udp-service": "udp",
            "--sctp-service": "sctp"}  # fmt: skip
_FLAGS = {"-n": "numeric", "--numeric": "numeric", "-c": "connections",
          "--connection": "connections", "--stats": "stats", "--timeout": "timeout",
          "-m": "masq", "--masquerading": "masq", "--sort": "sort", "--exact": "exact",
          "--persistent-conn": "persistent"}  # fmt: skip
_VALUES = {"-s": "scheduler", "--scheduler": "scheduler", "-r": "server",
           "--real-server": "server", "-w": "weight", "--weight": "weight", "-b": "flags",
           "--sched-flags": "flags"}  # fmt: skip
_HERE = "-L [-n] [-c] [--stats] [--timeout], -S, -C, -A, -E, -D, -a, -e, -d; -t, -u, -s, -p, -r, -w"
_PERSISTENT = 300


class _Order:
    """What a command line says."""

    def __init__(self, words: list[str]) -> None:
        self.command = ""
        self.service: Key | None = None
        self.persistent = 0
        self.chosen: set[str] = set()
        self.values: dict[str, str] = {}
        self.line = Words(_single(words))
        while self.line:
            self._read(self.line.next())

    def _read(self, word: str) -> None:
        if word in _COMMANDS:
            self.command = _COMMANDS[word]
        elif word in _SERVICE:
            self.service = (_SERVICE[word], *_address(self._value(word), "virtual"))
        elif word in _FLAGS:
            self.chosen.add(_FLAGS[word])
        elif word in _VALUES:
            self.values[_VALUES[word]] = self._value(word)
        elif word in ("-p", "--persistent"):
            seconds = self._value(word) if self.line else str(_PERSISTENT)
            self.persistent = _number(seconds, "illegal timeout specified")
        else:
            raise BadCommand(f"ipvsadm: unknown option '{word}'", f"Here: {_HERE}.")

    def _value(self, option: str) -> str:
        if not self.line:
            raise BadCommand(f"ipvsadm: option '{option}' needs a value.", f"Here: {_HERE}.")
        return self.line.next()


def _single(words: list[str]) -> list[str]:
    """``-Ln`` is ``-L -n``."""
    found: list[str] = []
    for word in words:
        short = word.startswith("-") and not word.startswith("--")
        found += [f"-{letter}" for letter in word[1:]] if short else [word]
    return found


def run(ns: Netns, words: list[str]) -> str:
    """``ipvsadm [-L] [-n] [-c] [--stats]``, ``-A -t IP:PORT -s rr``, ``-a -t … -r IP:PORT -m`` …"""
    order = _Order(words)
    if order.command in ("", "list"):
        return _listed(ns, order)
    if order.command == "save":
        return "\n".join(line for v in ns.ipvs.virtual_servers() for line in _saved(v))
    if order.command == "clear":
        ns.ipvs.flush()
        return ""
    if order.service is None:
        option = "virtual-service"
        raise BadCommand(f"You need to supply the '{option}' option for this command", _HERE)
    try:
        _change(ns, order, order.service)
    except K8sNetError as error:
        raise BadCommand(error.message, error.hint) from None
    return ""


def _change(ns: Netns, order: _Order, key: Key) -> None:
    ipvs, values = ns.ipvs, order.values
    flags = values.get("flags", "").split(",") if values.get("flags") else ()
    scheduler = values.get("scheduler", "wlc")
    if order.command == "add":
        ipvs.add(VirtualServer(*key, scheduler, order.persistent, flags))
    elif order.command == "edit":
        ipvs.edit(key, scheduler, order.persistent, flags)
    elif order.command == "delete":
        ipvs.delete(key)
    else:
        if "server" not in values:
            raise BadCommand("You need to supply the 'real-server' option for this command", _HERE)
        ip, port = _address(values["server"], "real", key[2])
        weight = _number(values.get("weight", "1"), "illegal weight specified")
        if order.command == "delete server":
            ipvs.delete_server(key, ip, port)
        elif "masq" not in order.chosen:
            why = "Here: -m. Real servers are reached by NAT alone."
            raise BadCommand("The forwarding methods -g and -i are not modelled.", why)
        elif order.command == "add server":
            ipvs.add_server(key, ip, port, weight)
        else:
            ipvs.edit_server(key, ip, port, weight)


def _address(text: str, what: str, port: int = 0) -> tuple[str, int]:
    ip, colon, number = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not is_ip(ip) or (colon and not (number.isdigit() and 0 < int(number) < 65536)):
        message = f"illegal {what} server address[:port] specified"
        raise BadCommand(message, "It looks like 10.96.0.10:80.")
    return ip, int(number) if number else port


def _number(text: str, message: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadCommand(message, "Give a whole number.")
    return int(text)


# -- listing --------------------------------------------------------------------------------------


def _listed(ns: Netns, order: _Order) -> str:
    now = ns.network.now if ns.network is not None else 0.0
    ipvs = ns.ipvs
    forget_expired(ns, now)
    if "timeout" in order.chosen:
        times = (ipvs.timeouts[state] for state in ("ESTABLISHED", "FIN_WAIT", "UDP"))
        return f"Timeout (tcp tcpfin udp): {' '.join(str(int(t)) for t in times)}"
    if "connections" in order.chosen:
        return "\n".join(_connections(ns, now))
    stats = "stats" in order.chosen
    persistent = "persistent" in order.chosen
    virtual = ipvs.virtual_servers()
    lines = [VERSION]
    if order.service is not None:
        try:
            virtual, lines = [ipvs.service(order.service)], []
        except K8sNetError as error:
            raise BadCommand("No such service", error.hint) from None
    lines += _title(stats, persistent)
    for one in virtual:
        lines += _with_servers(one, stats, persistent)
    return "\n".join(lines)


def _title(stats: bool, persistent: bool) -> list[str]:
    local, remote = "Prot LocalAddress:Port", "  -> RemoteAddress:Port"
    if stats:
        columns = ("Conns", "InPkts", "OutPkts", "InBytes", "OutBytes")
        return [f"{local:<33}" + "".join(f" {word:>8}" for word in columns), remote]
    if persistent:
        return [f"{local:<33} {'Weight':<9} {'PersistConn':<11} {'ActiveConn':<10} InActConn",
                remote]  # fmt: skip
    return [f"{local} Scheduler Flags", f"{remote:<33} Forward Weight ActiveConn InActConn"]


def _with_servers(virtual: VirtualServer, stats: bool, persistent: bool) -> list[str]:
    name = f"{virtual.proto.upper():<4} {with_port(virtual.ip, virtual.port)}"
    servers = sorted(virtual.servers, key=lambda s: (int(ip_address(s.ip)), s.port))
    if stats:
        return [f"{name:<33}{_numbers(virtual.counters)}",
                *(f"  -> {s!s:<28}{_numbers(s.counters)}" for s in servers)]  # fmt: skip
    words = [name, virtual.scheduler]
    if virtual.flags:
        words.append(f"({','.join(sorted(virtual.flags))})")
    if virtual.persistent:
        words.append(f"persistent {virtual.persistent}")
    row = _persistence if persistent else _row
    return [" ".join(words), *map(row, servers)]


def _row(s: RealServer) -> str:
    return f"  -> {s!s:<28} {'Masq':<7} {s.weight:<6} {s.active:<10} {s.inactive:<10}"


def _persistence(s: RealServer) -> str:
    return f"  -> {s!s:<28} {s.weight:<9} {s.persistent:<11} {s.active:<10} {s.inactive:<10}"


def _numbers(counters: Counters) -> str:
    return "".join(f"{_large(number):>9}" for number in counters)


def _large(number: int) -> str:
    if number < 100_000_000:
        return str(number)
    return f"{number // 1000}K" if number < 1_000_000_000 else f"{number // 1_000_000}M"


def _connections(ns: Netns, now: float) -> list[str]:
    found = [
        "IPVS connection entries",
        f"pro expire {'state':<11} {'source':<18} {'virtual':<18} destination",
    ]
    for connection in ns.ipvs.connections.values():
        left = connection.expires - now
        found.append(_connection(connection, left))
    for template in ns.ipvs.templates.values():
        service = template.service
        found.append(_entry(service.proto, template.expires - now, "NONE", (
            with_port(template.client, 0), with_port(service.ip, service.port),
            str(template.server),
        )))  # fmt: skip
    return found


def _connection(c: Connection, left: float) -> str:
    ends = with_port(*c.client), with_port(*c.virtual), str(c.server)
    return _entry(c.proto, left, c.state, ends)


def _entry(proto: str, left: float, state: str, ends: tuple[str, str, str]) -> str:
    seconds = max(0, int(left))
    expire = f"{seconds // 60:02}:{seconds % 60:02}"
    source, virtual, server = ends
    return f"{proto.upper():<3} {expire:<6} {state:<11} {source:<18} {virtual:<18} {server}"


def _saved(virtual: VirtualServer) -> list[str]:
    option = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[virtual.proto]
    name = f"{option} {with_port(virtual.ip, virtual.port)}"
    head = f"-A {name} -s {virtual.scheduler}"
    head += f" -p {virtual.persistent}" if virtual.persistent else ""
    head += f" -b {','.join(sorted(virtual.flags))}" if virtual.flags else ""
    servers = sorted(virtual.servers, key=lambda s: (int(ip_address(s.ip)), s.port))
    return [head, *(f"-a {name} -r {s} -m -w {s.weight}" for s in servers)]
