"""The rubrics of 08.refused and 08.hangs: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("08.refused", "target-port"),
    *incident_items("08.hangs", "bridge-nf", points=3, halves=False),
)
