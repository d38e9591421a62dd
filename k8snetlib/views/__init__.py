"""What lives here: pictures of a cluster and of a packet's way, and the step player.

* ``draw(cluster)`` draws the cluster, ``draw(exchange)`` a packet's way through it.
* ``play(exchange)`` walks a packet step by step.
* ``draw_stacks`` and ``draw_mtu`` set side by side how several backends carry the same packet.

All read an ``Exchange`` (its packets, names and topology) and nothing else. This room loads
neither IPython nor anywidget before a player is shown.
"""

from k8snetlib.views.picture import Picture, draw
from k8snetlib.views.player import Player, play
from k8snetlib.views.stacks import draw_mtu, draw_stacks

__all__ = ["Picture", "Player", "draw", "draw_mtu", "draw_stacks", "play"]
