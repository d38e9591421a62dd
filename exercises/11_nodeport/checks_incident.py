"""The rubrics of 11.door and 11.shop: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("11.door", "policy-local", lasting=False),
    *incident_items("11.shop", "asymmetric-reply", number=2, lasting=False),
)
