"""What lives here: ``build``, the cluster builder in a notebook: a small form, the picture beside
it, and every object as YAML.

In a notebook a ``Builder`` is a widget (``build.js``, which decides nothing); where there are no
widgets it shows the picture and the objects' YAML.

What may not live here: what becomes of a wish (see ``parts``).
"""

from __future__ import annotations

from html import escape
from typing import Any

from k8snetlib.cluster import Cluster
from k8snetlib.kube.manifests import yaml_of
from k8snetlib.topology import Topology
from k8snetlib.views.live import Live
from k8snetlib.views.marks import FONT
from k8snetlib.views.palette import theme_css
from k8snetlib.views.parts import SERVICE_TYPES, Parts
from k8snetlib.views.picture import Picture, draw

_STILL_STYLE = (
    ".k8snet-parts pre{max-height:26em;overflow:auto;margin:6px 0;padding:6px 8px;font-size:13px;"
    "border-radius:6px;background:var(--k-card);color:var(--k-ink);line-height:1.4}"
    f".k8snet-parts{{font-family:{FONT};color:var(--k-ink);background:var(--k-ground)}}"
)


class Builder(Live, Parts):
    """Parts that show themselves. ``cluster`` and ``manifests`` are what was built."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._drawn: tuple[Topology, str] | None = None
        self._texts: dict[str, tuple[dict[str, Any], str]] = {}

    def __repr__(self) -> str:
        return f"{self.picture.text}\n\nObjects: {', '.join(self.objects)}."

    @property
    def picture(self) -> Picture:
        """The cluster as it is now."""
        return draw(self.cluster)

    @property
    def html(self) -> str:
        """Picture and YAML as one piece of HTML, without a widget."""
        texts = "".join(
            f"<h4>{escape(name)}</h4><pre tabindex='0' role='group' "
            f"aria-label='{escape(name, quote=True)}'>{escape(text)}</pre>"
            for name, text in self.manifests.items()
        )
        style = f"<style>{theme_css()}{_STILL_STYLE}</style>"
        more = f"<details><summary>The objects as YAML</summary>{texts}</details>"
        return f'<div class="k8snet k8snet-parts">{style}{self.picture.html}{more}</div>'

    @property
    def data(self) -> dict[str, Any]:
        """What the browser shows; every value is ready for JSON::

        {"picture": "<svg …>", "nodes": ["node1", …], "types": ["ClusterIP", …],
         "objects": [["pod/web1", "apiVersion: v1\\n…"], …]}
        """
        return {
            "picture": self._svg(),
            "nodes": list(self.cluster.nodes),
            "types": list(SERVICE_TYPES),
            "objects": [[key, self._text(key, each)] for key, each in self.objects.items()],
        }

    def _svg(self) -> str:
        """The picture as text, drawn again only if it would be another one."""
        topology = self.cluster.topology
        if self._drawn is None or self._drawn[0] != topology:
            self._drawn = topology, draw(topology).svg
        return self._drawn[1]

    def _text(self, key: str, document: dict[str, Any]) -> str:
        """A document as YAML. PyYAML takes a millisecond or two for each, so they are kept."""
        known = self._texts.get(key)
        if known is None or known[0] != document:
            known = self._texts[key] = document, yaml_of([document])
        return known[1]

    def _make_widget(self) -> Any:
        from k8snetlib.views.build_widget import BuilderWidget

        return BuilderWidget(self)

    def _still(self) -> dict[str, Any]:
        return {"text/html": self.html, "text/plain": repr(self)}


def build(cluster: Cluster | None = None) -> Builder:
    """The cluster builder: add nodes, pods and Services, take them away, and see what that makes.

    Parameters: ``cluster`` is what to begin with, and is changed (None: the example cluster). What
    the form does, Python does too:

    >>> builder = build()
    >>> builder.add_pod("late", node="node3", labels="app=web")
    'pod/late runs on node3 with 10.1.30.3.'
    >>> builder.cluster.connect("web1", "late", 80).outcome
    'delivered'
    """
    return Builder(Cluster.example() if cluster is None else cluster)
