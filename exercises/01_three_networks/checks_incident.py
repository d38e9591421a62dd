"""The rubric of 01.image: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("01.image", "one-range", lasting=False)
