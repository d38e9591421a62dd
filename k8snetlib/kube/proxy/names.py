"""What lives here: the names of kube-proxy's chains, hashed so that they fit and do not collide.

iptables' chains have at most 28 characters, so a Service port's name appears only as a hash;
nftables' may be long, so the hash stands in front of the plain name.

Source: kube-proxy's iptables and nftables proxiers; names that their own tests expect.
"""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from hashlib import sha256

_LONGEST_NFT = 240


@lru_cache(1 << 16)  # every node makes the same names, and a chain's is used several times
def _hash(text: str, length: int) -> str:
    """``length`` letters, a multiple of 8: of five bytes base32 makes eight letters."""
    return b32encode(sha256(text.encode()).digest()[: length // 8 * 5]).decode()


def service_chain(kind: str, service_port: str, proto: str) -> str:
    """The iptables chain of a Service port; ``kind`` is SVC, SVL, EXT or FW.

    >>> service_chain("SVC", "ns1/svc1:p80", "tcp")
    'KUBE-SVC-XPGD46QRK7WJZT7O'
    """
    return f"KUBE-{kind}-{_hash(service_port + proto.lower(), 16)}"


def endpoint_chain(service_port: str, proto: str, endpoint: str) -> str:
    """The iptables chain of one endpoint (``IP:PORT``, ``[IP6]:PORT``) of a Service port.

    >>> endpoint_chain("ns1/svc1:p80", "tcp", "10.180.0.1:80")
    'KUBE-SEP-SXIVWICOYRO3J4NJ'
    """
    return f"KUBE-SEP-{_hash(service_port + proto.lower() + endpoint, 16)}"


def nft_name(namespace: str, name: str, port: str, proto: str, endpoint: str = "") -> str:
    """What stands behind ``service-``, ``endpoint-`` … in the name of an nftables chain.

    >>> nft_name("testing", "service", "http", "tcp")
    'P4ZYZVCF-testing/service/tcp/http'
    """
    plain = f"{namespace}/{name}/{proto.lower()}/{port}"
    if endpoint:
        ip, _, number = endpoint.rpartition(":")
        # nftables does not take colons in the names of chains.
        plain += f"__{ip.strip('[]').replace(':', '.')}/{number}"
    full = f"{_hash(plain, 8)}-{plain}"
    return full if len(full) <= _LONGEST_NFT else full[: _LONGEST_NFT - 3] + "..."
