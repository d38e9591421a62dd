"""The rubric of 12.late: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("12.late", "leaked-addresses", lasting=False)
