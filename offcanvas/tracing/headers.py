"""Headers for all tasks of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from offcanvas.canvas.nodes import Chain, Chord, Group, Node, with_options


def with_headers(node: Node, headers: Mapping[str, str]) -> Node:
    """The plan, each of whose tasks has these headers besides its own, callbacks included."""
    options = node.options
    extra = dict(options.extra)
    match node:
        case Chain(steps=steps):
            node = replace(node, steps=tuple(with_headers(one, headers) for one in steps))
        case Group(members=members):
            node = replace(node, members=tuple(with_headers(one, headers) for one in members))
        case Chord(header=header, body=body):
            within = with_headers(header, headers)
            assert isinstance(within, Group)  # noqa: S101  # a node keeps its kind
            ends = None if body is None else with_headers(body, headers)
            node = replace(node, header=within, body=ends)
        case _:
            own = extra.get("headers")
            extra["headers"] = {**(own if isinstance(own, Mapping) else {}), **headers}
    return with_options(
        node,
        link=tuple(with_headers(one, headers) for one in options.link),
        link_error=tuple(with_headers(one, headers) for one in options.link_error),
        extra=tuple(sorted(extra.items())),
    )
