"""The routing table against a brute-force oracle, and what it does with metrics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k8snetlib.address import Prefix, ip_text, mask
from k8snetlib.linux.route import Route, RouteTable

# Few distinct bits, so that prefixes nest and collide often.
ADDRESSES = st.integers(0, 255).map(lambda n: (n & 0xF0) << 24 | (n & 0x0F) << 4 | n & 3)
PREFIXES = st.builds(
    lambda n, length: Prefix(n & mask(length), length), ADDRESSES, st.integers(0, 32)
)
ROUTES = st.lists(
    st.builds(
        lambda prefix, dev, metric: Route(prefix, f"eth{dev}", metric=metric),
        PREFIXES, st.integers(0, 9), st.integers(0, 2),
    ),
    max_size=25,
)  # fmt: skip


def oracle(routes: list[Route], dst: str) -> Route | None:
    """Longest prefix, then lowest metric; of equals the first added, since a twin is refused."""
    fitting = [r for r in routes if r.prefix.contains(dst)]
    return min(fitting, key=lambda r: (-r.prefix.length, r.metric), default=None)


@given(ROUTES, st.lists(ADDRESSES, min_size=1, max_size=10), st.data())
def test_lookup_agrees_with_brute_force(
    routes: list[Route], addresses: list[int], data: st.DataObject
) -> None:
    """Before and after routes are removed, and in a clone."""
    table, there = RouteTable(), list[Route]()
    for route in routes:
        if table.add(route):
            there.append(route)
    assert len(table) == len(there)
    copy, before = table.clone(), list(there)
    for dst in map(ip_text, addresses):
        assert table.lookup(dst) == oracle(there, dst)
    for gone in data.draw(st.lists(st.sampled_from(there), unique=True) if there else st.just([])):
        assert table.remove(gone)
        assert not table.remove(gone)
        there.remove(gone)
    for dst in map(ip_text, addresses):
        assert table.lookup(dst) == oracle(there, dst)
        assert copy.lookup(dst) == oracle(before, dst)
        fitting = table.matching(dst)
        assert fitting[:1] == ((table.lookup(dst),) if fitting else ())
        assert len(fitting) == sum(r.prefix.contains(dst) for r in there)


def test_a_twin_is_refused_and_replace_takes_its_place() -> None:
    """Same prefix and metric: ``add`` says no, ``replace`` replaces."""
    table = RouteTable()
    old = Route(Prefix.parse("10.1.20.0/24"), "eth0", via="192.168.66.12")
    new = old._replace(via="192.168.66.13")
    assert table.add(old)
    assert not table.add(new)
    assert table.lookup("10.1.20.3") == old
    table.replace(new)
    assert table.lookup("10.1.20.3") == new
    assert list(table) == [new]


def test_routes_print_as_ip_route_prints_them() -> None:
    """Every word in its place."""
    net = Prefix.parse("10.1.20.0/24")
    table = {
        "default via 192.168.66.1 dev eth0": Route(Prefix(0, 0), "eth0", via="192.168.66.1"),
        "10.1.20.0/24 dev docker0 proto kernel scope link src 10.1.20.1": Route(
            net, "docker0", src="10.1.20.1", proto="kernel", scope="link"
        ),
        "10.1.20.0/24 via 10.1.20.0 dev flannel.1 onlink": Route(
            net, "flannel.1", via="10.1.20.0", onlink=True
        ),
        "10.1.20.3 dev eth0 metric 100": Route(Prefix.parse("10.1.20.3"), "eth0", metric=100),
    }
    for text, route in table.items():
        assert str(route) == text
