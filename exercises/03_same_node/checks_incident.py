"""The rubric of 03.neighbours: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("03.neighbours", "pod-mask", lasting=False)
