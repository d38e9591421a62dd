"""What lives here: the list of all faults."""

from __future__ import annotations

from collections.abc import Mapping

from k8snetlib.course.incidents import between, daemons, outward, services
from k8snetlib.course.incidents.fault import Fault
from k8snetlib.errors import unknown_name

#: Every fault, by its id.
FAULTS: Mapping[str, Fault] = {
    one.id: one for one in (*between.FAULTS, *daemons.FAULTS, *services.FAULTS, *outward.FAULTS)
}


def fault(fault_id: str) -> Fault:
    """The fault of that id; raises ``UnknownName`` with the nearest ids."""
    if fault_id not in FAULTS:
        raise unknown_name("fault", fault_id, FAULTS)
    return FAULTS[fault_id]
