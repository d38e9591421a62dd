"""The rubric of 06.weekend: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("06.weekend", "lease-lost", lasting=False)
