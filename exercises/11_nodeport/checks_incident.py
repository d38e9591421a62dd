"""The rubric of 11.door: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("11.door", "policy-local", lasting=False)
