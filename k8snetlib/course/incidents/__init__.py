"""What lives here: incidents: a broken cluster, a user's ticket, the prompt, and nothing else.

``incident("04.public_ip")`` in a notebook shows the ticket and gives the prompt;
``incident_items("04.public_ip", "one-public-ip")`` in ``checks.py`` is the whole rubric;
``on_call(7)`` gives five at random. How a fault is added stands in docs/incidents.md.

What may not live here: how a fault is repaired.
"""

from __future__ import annotations

from k8snetlib.course.incidents.items import incident_items
from k8snetlib.course.incidents.practice import on_call
from k8snetlib.course.incidents.show import incident

__all__ = ["incident", "incident_items", "on_call"]
