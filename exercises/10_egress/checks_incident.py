"""The rubrics of 10.partner and 10.peak: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("10.partner", "wrong-snat", lasting=False),
    *incident_items("10.peak", "conntrack-full", points=3, halves=False),
)
