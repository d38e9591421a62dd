"""Random rules and packets: model and kernel agree on frames, counters and connections.

``K8SNET_RANDOM=N`` runs N cases instead (each has 25 packets); ``K8SNET_SEED=S`` begins at case S.
A failure prints the smallest ruleset and the fewest packets that still differ: what to put into
``test_found.py``.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from k8snetlib.lab.kernel import Lab
from tests.conftest import require_root, require_tool
from tests.kernel.random_cases import Ground, network, packets, ruleset, shrink
from tests.kernel.test_found import FOUND, Row, text_of

CASES = int(os.environ.get("K8SNET_RANDOM", "100"))
FIRST = int(os.environ.get("K8SNET_SEED", "0"))
PACKETS = 25
GROUPS = 5


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """One lab for all cases: loading rules and forgetting connections makes it as good as new."""
    require_root()
    for tool in ("ip", "bridge", "iptables-restore", "iptables-save"):
        require_tool(tool)
    base = network()
    with Lab(base, trace=False) as lab:
        ground = Ground(lab, base)
        yield ground
        ground.close()


@pytest.mark.root
@pytest.mark.parametrize("row", FOUND.values(), ids=FOUND)
def test_the_kernel_does_what_is_noted_of_it(ground: Ground, row: Row) -> None:
    """``test_found`` holds the model to what the kernel was seen to do; here the kernel does it."""
    assert not ground.differences(text_of(row), row.shots)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_random_rules_and_packets_agree(
    ground: Ground, group: int, record_property: Callable[[str, object], None]
) -> None:
    """Each seed is one ruleset and 25 packets."""
    before = ground.packets, ground.frames
    seeds = range(FIRST + group, FIRST + CASES, GROUPS)
    for seed in seeds:
        rnd = random.Random(seed)
        lines = ruleset(rnd)
        shots = packets(rnd, "\n".join(lines) + "\n", PACKETS)

        def differ(lines: list[str], shots: list) -> list[str]:
            return ground.differences("\n".join(lines) + "\n", shots)

        if differ(lines, shots):
            least, few = shrink(lambda ls, ss: bool(differ(ls, ss)), lines, shots)
            different = differ(least, few)
            # A difference that does not come back was the machine's (another process was in the way).
            if different:
                shown = [
                    line for line in least if line[0] == "-" or "DROP" in line or line[0] == "*"
                ]
                pytest.fail("\n".join([f"seed {seed}", *shown, *map(str, few), *different]))
    record_property("kernel random rulesets", len(seeds))
    record_property("kernel random packets sent", len(seeds) * PACKETS)
    record_property("kernel packets", ground.packets - before[0])
    record_property("kernel frames", ground.frames - before[1])
