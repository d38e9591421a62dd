"""The exercises as one course: every known wrong belief is recognised, and kinds are mixed."""

from __future__ import annotations

import pytest

from k8snetlib.course.incidents.items import Check
from tests.exercises.bank import EXERCISES, misconceptions, name_of

#: The wrong beliefs that users of real clusters have shown (kubernetes and flannel issues).
NAMES = (
    "PING_VIP VIP_NIC PROXY_DATA RR PER_REQ PROB_1N TARGET_LB NP_SRC ETP_FWD NP_LOCALHOST HAIRPIN "
    "BRNF SEED_SRC MASQ_INET IFACE FWD ETCD_DOWN SUBNET_KEEP LEASE_BRIDGE STALE_ROUTE DIFF_SUBNETS "
    "POD_WATCH HOOK FLANNEL_BRIDGE TTL_BRIDGE MAC_E2E MTU HOSTGW_L3 VTEP_MAC UDP_CT WRONG_PORT "
    "ASYM CIDR SNAT_REPLY NAT_EVERY DNAT_POST IPVS_FUTURE LOCALHOST_POD INPUT_FW OVERLAY_FW NETPOL "
    "NP_LISTEN PROXY_DOWN READY CPORT TAP PORTS_64K"
)
BELIEFS = NAMES.split()
LATER = [exercise for exercise in EXERCISES if exercise.id != "00"]


def incidents(exercise) -> list[str]:
    """The ids of the tasks that are incidents."""
    return [t.id for t in exercise.tasks if any(isinstance(i.check, Check) for i in t.items)]


@pytest.mark.parametrize("belief", BELIEFS)
def test_a_belief_is_recognised_somewhere(belief):
    found = [
        answer.name
        for exercise in EXERCISES
        for answer in misconceptions(exercise)
        if belief in answer.finds.values()
    ]
    assert found, "no misconception of the bank gets a finding that names it"


def test_there_are_fourteen_exercises_and_sixty_tasks():
    assert [exercise.id for exercise in EXERCISES] == [f"{n:02}" for n in range(14)]
    assert sum(len(exercise.tasks) for exercise in EXERCISES) >= 60


@pytest.mark.parametrize("exercise", LATER, ids=name_of)
def test_an_exercise_mixes_code_predictions_and_repairs(exercise):
    repairs = incidents(exercise)
    kinds = {task.kind for task in exercise.tasks if task.id not in repairs}
    assert kinds == {"code", "value"}
    assert len(repairs) >= (5 if exercise.id == "13" else 1)
