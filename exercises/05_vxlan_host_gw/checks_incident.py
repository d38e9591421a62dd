"""The rubric of 05.deaf: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("05.deaf", "vtep-mac", lasting=False)
