"""What lives here: pictures of a cluster and of a packet's way, and the step player.

* ``draw(cluster)`` draws the cluster, ``draw(exchange)`` a packet's way through it.
* ``play(exchange)`` walks a packet step by step.
* ``address_bands(cluster)`` draws the three networks, and who has which address in them.
* ``reachability(cluster)`` sends from every host to every other, and shows who arrived, as whom.

The first two read an ``Exchange`` (its packets, names and topology) and nothing else. This room
loads neither IPython nor anywidget before a player is shown.
"""

from k8snetlib.views.bands import address_bands
from k8snetlib.views.matrix import Matrix, reachability
from k8snetlib.views.picture import Picture, draw
from k8snetlib.views.player import Player, play

__all__ = ["Matrix", "Picture", "Player", "address_bands", "draw", "play", "reachability"]
