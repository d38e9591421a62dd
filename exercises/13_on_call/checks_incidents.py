"""The rubrics of five incidents, from all parts of the course."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("13.ticket1", "stale-route", number=3, lasting=False),
    *incident_items("13.ticket2", "etcd-cut", number=4, lasting=False),
    *incident_items("13.ticket3", "dns-first", number=5, lasting=False),
    *incident_items("13.ticket4", "hairpin", number=6, lasting=False),
    *incident_items("13.ticket5", "no-masquerade", number=7, lasting=False),
)
