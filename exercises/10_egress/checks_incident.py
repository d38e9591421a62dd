"""The rubric of 10.partner: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("10.partner", "wrong-snat", lasting=False)
