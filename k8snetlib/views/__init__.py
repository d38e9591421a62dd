"""What lives here: pictures of a cluster and of a packet's way, and the step player.

* ``draw(cluster)`` draws the cluster, ``draw(exchange)`` a packet's way through it.
* ``play(exchange)`` walks a packet step by step; with ``netns``, through one kernel's boxes.
* ``pod_xray(cluster["web1"])`` looks into one network namespace.
* ``packet_flow(exchange.request, "node1")`` shows which boxes of one kernel a packet met.

They read an ``Exchange`` (its packets, names and topology) or, for the X-ray, a namespace. This
room loads neither IPython nor anywidget before a player is shown.
"""

from k8snetlib.views.flow import packet_flow
from k8snetlib.views.picture import Picture, draw
from k8snetlib.views.player import Player, play
from k8snetlib.views.xray import pod_xray

__all__ = ["Picture", "Player", "draw", "packet_flow", "play", "pod_xray"]
