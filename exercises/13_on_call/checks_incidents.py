"""The rubrics of five incidents, from all parts of the course."""

from __future__ import annotations

from k8snetlib.course.incidents import incident_items

ITEMS = (
    *incident_items("13.rack", "stale-route", number=3, lasting=False),
    *incident_items("13.morning", "etcd-cut", number=4, lasting=False),
    *incident_items("13.names", "dns-first", number=5, lasting=False),
    *incident_items("13.third_call", "hairpin", number=6, lasting=False),
    *incident_items("13.internet", "no-masquerade", number=7, lasting=False),
)
