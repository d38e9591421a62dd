"""The rubrics of 04.public_ip and 04.blocked: two broken clusters, to be repaired at the prompt."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("04.public_ip", "one-public-ip"),
    *incident_items("04.blocked", "overlay-port"),
)
