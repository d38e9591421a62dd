"""What lives here: flanneld's command line.

Flags as Go reads them: one hyphen or two, a value after ``=`` or as the next word, a switch alone
or with ``=false``. Those that do not touch the network (endpoints, certificates, log level) are
taken and have no effect. Source: flannel's main.go and Documentation/configuration.md.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import NamedTuple

from k8snetlib.errors import BadCommand, nearest
from k8snetlib.flannel import subnet_env
from k8snetlib.flannel.registry import PREFIX

#: Where a node keeps flanneld's command line (systemd's ``EnvironmentFile``): one line,
#: ``FLANNELD_OPTIONS="--ip-masq"``.
DEFAULTS = "/etc/default/flanneld"
_LINE = re.compile(r"(?m)^\s*FLANNELD_OPTIONS=(.*)$")

_TRUE, _FALSE = {"1", "t", "true", "T", "TRUE", "True"}, {"0", "f", "false", "F", "FALSE", "False"}
#: Flags with a value that the model takes and does not use.
_IDLE = {
    "etcd-endpoints", "etcd-keyfile", "etcd-certfile", "etcd-cafile", "etcd-username",
    "etcd-password", "kube-api-url", "kubeconfig-file", "healthz-ip", "healthz-port", "v",
    "kube-annotation-prefix", "net-config-path",
}  # fmt: skip


class Options(NamedTuple):
    """What flanneld was told. ``renew_margin`` is in minutes, ``resync`` in seconds."""

    ip_masq: bool = False
    forward_rules: bool = True
    random_fully: bool = True
    iface: tuple[str, ...] = ()
    public_ip: str = ""
    kube_subnet_mgr: bool = False
    renew_margin: int = 60
    resync: int = 5
    etcd_prefix: str = PREFIX
    subnet_file: str = subnet_env.PATH


_FLAGS: dict[str, tuple[str, type]] = {
    "ip-masq": ("ip_masq", bool),
    "iptables-forward-rules": ("forward_rules", bool),
    "ip-masq-random-fully-disable": ("random_fully", bool),
    "iface": ("iface", tuple),
    "public-ip": ("public_ip", str),
    "kube-subnet-mgr": ("kube_subnet_mgr", bool),
    "subnet-lease-renew-margin": ("renew_margin", int),
    "iptables-resync": ("resync", int),
    "etcd-prefix": ("etcd_prefix", str),
    "subnet-file": ("subnet_file", str),
}


def parse_options(words: str | Iterable[str]) -> Options:
    """flanneld's options from a command line (text, or its words). Raises ``BadCommand``."""
    todo = shlex.split(words) if isinstance(words, str) else list(words)
    found: dict[str, object] = {}
    while todo:
        word = todo.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in {*_FLAGS, *_IDLE}:
            near = nearest(name, [*_FLAGS, *_IDLE], 1)
            hint = f"Did you mean --{near[0]}?" if near else f"Here: --{', --'.join(_FLAGS)}."
            raise BadCommand(f"flanneld: flag provided but not defined: -{name}", hint)
        field, kind = _FLAGS.get(name, ("", str))
        if kind is bool:
            value = value if equals else "true"
        elif not equals:
            if not todo:
                raise BadCommand(f"flanneld: flag needs an argument: -{name}")
            value = todo.pop(0)
        if not field:
            continue
        if kind is tuple:
            so_far = found.get(field, ())
            found[field] = (*so_far, value) if isinstance(so_far, tuple) else (value,)
        else:
            found[field] = _value(name, kind, value)
    if "random_fully" in found:
        found["random_fully"] = not found["random_fully"]
    options = Options(**found)  # type: ignore[arg-type]
    if not 0 < options.renew_margin < 24 * 60:
        raise BadCommand(
            "flanneld: Invalid subnet-lease-renew-margin option, out of acceptable range",
            "Minutes, 1 to 1439.",
        )
    return options


def in_file(text: str, otherwise: Options) -> Options:
    """The options that ``DEFAULTS`` holds; ``otherwise`` if it holds none. Raises ``BadCommand``.

    >>> in_file('FLANNELD_OPTIONS="--ip-masq"', Options()).ip_masq
    True
    """
    lines = _LINE.findall(text)
    if not lines:
        return otherwise
    return parse_options(" ".join(shlex.split(lines[-1])))


def _value(name: str, kind: type, value: str) -> object:
    if kind is bool and value in _TRUE | _FALSE:
        return value in _TRUE
    if kind is int and value.lstrip("+-").isdigit():
        return int(value)
    if kind is str:
        return value
    what = "boolean value" if kind is bool else "value"
    raise BadCommand(f'flanneld: invalid {what} "{value}" for flag -{name}')
