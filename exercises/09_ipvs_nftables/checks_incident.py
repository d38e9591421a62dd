"""The rubric of 09.agent: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("09.agent", "localhost-node-port", lasting=False)
