"""The rubric of 07.perfect: a broken cluster, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = incident_items("07.perfect", "forward-drop")
