"""k8snetlib models a Kubernetes cluster's network as Linux does it, with the reason of each step.

>>> from k8snetlib import Cluster
>>> Cluster.example().ping("web2", "backend").outcome
'delivered'
"""

from k8snetlib.cluster import Cluster
from k8snetlib.errors import K8sNetError
from k8snetlib.stages import OUTCOMES
from k8snetlib.trace import Exchange, Frame, Hop, Step, Trace

__all__ = ["OUTCOMES", "Cluster", "Exchange", "Frame", "Hop", "K8sNetError", "Step", "Trace"]

__version__ = "0.1.0"
