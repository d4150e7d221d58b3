"""Nodes as versioned JSON, and back.

    {"offcanvas": 1, "canvas": {"kind": "chain", "steps": [{"kind": "task", "name": "add", ...}]}}

Fields that hold their default are left out. Values that JSON does not know (dates, UUIDs,
decimals, bytes) are written as kombu writes them, so that a canvas carries what a Celery message
carries; an engine that only moves values around reads them with ``opaque=True`` and keeps kombu's
marks in place.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from offcanvas.canvas.nodes import KINDS, NO_OPTIONS, Node, Options, kind
from offcanvas.errors import BadWire, UnserialisableValue

#: Raised when a field changes its meaning or goes; new fields with defaults do not raise it.
VERSION = 1

_NODE_LISTS = frozenset({"steps", "members", "link", "link_error"})
_ONE_NODE = frozenset({"header", "body", "task"})
_PAIRS = frozenset({"kwargs", "stamps", "extra"})


def dumps(node: Node, *, indent: int | None = None) -> str:
    """``node`` as JSON text.

    Raises:
        UnserialisableValue: a value that Celery's JSON serializer refuses.
    """
    from kombu.utils.json import dumps as kombu_dumps  # kombu stays out of the sandbox

    document = {"offcanvas": VERSION, "canvas": plain(node)}
    try:
        return kombu_dumps(document, indent=indent)
    except (TypeError, ValueError) as error:
        raise UnserialisableValue(
            f"the canvas holds a value that JSON cannot carry ({error}); Celery would refuse it too"
        ) from error


def loads(text: str, *, opaque: bool = False) -> Node:
    """The node in ``text``.

    Args:
        text: what ``dumps`` returned.
        opaque: keep values as plain JSON, without rebuilding dates, UUIDs and the like.

    Raises:
        BadWire: not a canvas of ours, or written by a later version.
    """
    try:
        if opaque:
            document = json.loads(text)
        else:
            from kombu.utils.json import loads as kombu_loads

            document = kombu_loads(text)
    except ValueError as error:
        raise BadWire(f"not JSON: {error}") from error
    if not isinstance(document, dict) or "offcanvas" not in document:
        raise BadWire('not a canvas of offcanvas: the key "offcanvas" with its version is missing')
    if document["offcanvas"] != VERSION:
        raise BadWire(
            f"written as version {document['offcanvas']!r}, this offcanvas reads version "
            f"{VERSION}; use the offcanvas that wrote it"
        )
    return node_of(document.get("canvas"))


def plain(node: Node) -> dict[str, Any]:
    """``node`` as dictionaries, lists and values, defaults left out."""
    out: dict[str, Any] = {"kind": kind(node)}
    for name, default in _FIELDS[type(node)]:
        given = getattr(node, name)
        if given == default:
            continue
        out[name] = _plain_options(given) if name == "options" else _plain_field(name, given)
    return out


def _plain_options(options: Options) -> dict[str, Any]:
    return {
        name: _plain_field(name, given)
        for name, default in _FIELDS[Options]
        if (given := getattr(options, name)) != default
    }


def _plain_field(name: str, given: Any) -> Any:
    if name in _NODE_LISTS:
        return [plain(node) for node in given]
    if name in _ONE_NODE:
        return plain(given)
    if name in _PAIRS:
        return dict(given)
    return list(given) if isinstance(given, tuple) else given


def node_of(given: object) -> Node:
    """The node that ``plain`` wrote as ``given``.

    Raises:
        BadWire: an unknown kind, or a field that is missing or unknown.
    """
    if not isinstance(given, dict) or given.get("kind") not in KINDS:
        raise BadWire(f"expected a node with a kind among {', '.join(KINDS)}, got {given!r:.80}")
    cls = KINDS[given["kind"]]
    try:
        return cls(**{name: _field(name, raw) for name, raw in given.items() if name != "kind"})
    except TypeError as error:
        raise BadWire(f"a {given['kind']} with wrong fields: {error}") from error


def _field(name: str, raw: Any) -> Any:
    if name in _NODE_LISTS:
        return tuple(node_of(item) for item in raw)
    if name in _ONE_NODE:
        return node_of(raw)
    if name in _PAIRS:
        return tuple(raw.items())
    if name == "options":
        return options_of(raw)
    return tuple(raw) if name in {"args", "items"} else raw


def options_of(raw: dict[str, Any]) -> Options:
    """The options that ``plain`` wrote as ``raw``."""
    return Options(**{name: _field(name, given) for name, given in raw.items()})


_CLASSES: tuple[Any, ...] = (Options, *KINDS.values())
_FIELDS: dict[Any, tuple[tuple[str, object], ...]] = {
    cls: tuple(
        (field.name, NO_OPTIONS if field.name == "options" else field.default)
        for field in fields(cls)
    )
    for cls in _CLASSES
}
