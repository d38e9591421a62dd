"""The rubrics of 06.weekend and 06.fresh: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("06.weekend", "lease-lost", lasting=False),
    *incident_items("06.fresh", "cidr-mismatch", number=2, lasting=False),
)
