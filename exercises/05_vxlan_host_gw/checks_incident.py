"""The rubrics of 05.deaf and 05.hole: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("05.deaf", "vtep-mac", lasting=False),
    *incident_items("05.hole", "mtu-black-hole", number=2, lasting=False),
)
