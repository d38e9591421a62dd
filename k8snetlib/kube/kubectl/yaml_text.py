"""What lives here: documents as YAML, as kubectl writes it.

Keys stand in order, and in double quotes what would else be no text.
"""

from __future__ import annotations

from typing import Any

_dumpers: list[Any] = []


def yaml_text(document: Any) -> str:
    """A document, without the last line end."""
    import yaml

    if not _dumpers:

        class Dumper(yaml.SafeDumper):
            pass

        def text(dumper: Any, data: str) -> Any:
            plain = dumper.resolve(yaml.ScalarNode, data, (True, False))
            style = None if plain == "tag:yaml.org,2002:str" else '"'
            return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

        Dumper.add_representer(str, text)
        # A value that stands twice is written twice.
        Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]
        _dumpers.append(Dumper)
    written: str = yaml.dump(document, Dumper=_dumpers[0], sort_keys=True, allow_unicode=True)
    return written.rstrip("\n")
