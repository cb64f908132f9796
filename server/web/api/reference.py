"""The public API's own description as a short table, for the page that introduces it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PUBLIC = "/api/v1/"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One thing that a program can do."""

    method: str
    path: str
    what: str


def groups(document: Mapping[str, Any]) -> list[tuple[str, list[Route]]]:
    """Give the public routes of an OpenAPI document by their tag."""
    found: defaultdict[str, list[Route]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(PUBLIC):
                what = operation.get("description") or operation["summary"]
                found[operation["tags"][0]].append(Route(method=method.upper(), path=path, what=what))
    return list(found.items())
