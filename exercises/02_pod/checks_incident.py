"""The rubric of 02.page: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("02.page", "loopback-server", lasting=False)
