"""What lives here: the bridge plugin's ``ipMasq``: outside, a container has the node's address.

Each container has a chain of its own in the nat table: what stays in the subnet is left alone, so
is multicast; all else is masqueraded. Source: containernetworking/plugins ``pkg/ip``.
"""

from __future__ import annotations

from k8snetlib.address import Prefix
from k8snetlib.kube.cni import chains
from k8snetlib.linux.netfilter.tables import Ruleset

MULTICAST = "224.0.0.0/4"


def set_up(ruleset: Ruleset, address: str, network: str, container_id: str) -> None:
    """Adds the rules for a container's address (with its subnet's length)."""
    chain = chains.chain_name(network, container_id)
    said = ("-m", "comment", "--comment", chains.comment(network, container_id))
    subnet = str(Prefix.parse(address, host_bits=True))
    ruleset.ensure_chain(chains.NAT, chain)
    for where, words in (
        (chain, ("-d", subnet, *said, "-j", "ACCEPT")),
        (chain, ("!", "-d", MULTICAST, *said, "-j", "MASQUERADE")),
        ("POSTROUTING", _entry(address, chain, said)),
    ):
        ruleset.ensure_rule(chains.NAT, where, chains.parsed(words))


def tear_down(ruleset: Ruleset, address: str, network: str, container_id: str) -> None:
    """Removes them again; what is not there is no error."""
    chain = chains.chain_name(network, container_id)
    said = ("-m", "comment", "--comment", chains.comment(network, container_id))
    chains.remove_rule(ruleset, "POSTROUTING", _entry(address, chain, said))
    chains.remove_chain(ruleset, chain)


def _entry(address: str, chain: str, said: tuple[str, ...]) -> tuple[str, ...]:
    return "-s", address.partition("/")[0], *said, "-j", chain
