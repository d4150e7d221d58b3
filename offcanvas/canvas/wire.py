"""Nodes as versioned JSON, and back.

    {"offcanvas": 1, "canvas": {"kind": "chain", "steps": [{"kind": "task", "name": "add", ...}]}}

Fields that hold their default are left out. Values that JSON does not know (dates, UUIDs,
decimals, bytes) are written as kombu writes them, so that a canvas carries what a Celery message
carries; an engine that only moves values around reads them with ``opaque=True`` and keeps kombu's
marks in place.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, overload

from offcanvas.canvas.nodes import KINDS, NO_OPTIONS, Node, Options, kind
from offcanvas.errors import BadWire, UnserialisableValue

#: Raised when a field changes its meaning or goes; new fields with defaults do not raise it.
VERSION = 1

#: Members of a wide group that are kept together.
PAGE = 100

_NODE_LISTS = frozenset({"steps", "members", "link", "link_error", "sent_beside"})
_ONE_NODE = frozenset({"header", "body", "task"})
#: Kinds of node that are no task's, map's or chunks'.
_HOLDERS = frozenset({"chain", "group", "chord"})
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


def plain(node: Node, *, paged: bool = False) -> dict[str, Any]:
    """``node`` as dictionaries, lists and values, defaults left out.

    ``paged``: for an engine, which reads the members of wide groups as ``Pages``; all values have
    to be plain JSON.
    """
    out: dict[str, Any] = {"kind": kind(node)}
    for name, default in _FIELDS[type(node)]:
        given = getattr(node, name)
        if given == default:
            continue
        if name == "options":
            out[name] = _plain_options(given)
        elif paged and name == "members" and len(given) > PAGE:
            out["pages"] = given.texts if isinstance(given, Pages) else _pages(given)
        else:
            out[name] = _plain_field(name, given, paged)
    return out


def _plain_options(options: Options) -> dict[str, Any]:
    return {
        name: _plain_field(name, given, paged=False)
        for name, default in _FIELDS[Options]
        if (given := getattr(options, name)) != default
    }


def _plain_field(name: str, given: Any, paged: bool) -> Any:
    if name in _NODE_LISTS:
        return [plain(node, paged=paged) for node in given]
    if name in _ONE_NODE:
        return None if given is None else plain(given, paged=paged)
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
        named = ((name, _field(name, raw)) for name, raw in given.items() if name != "kind")
        return cls(**{"members" if name == "pages" else name: value for name, value in named})
    except TypeError as error:
        raise BadWire(f"a {given['kind']} with wrong fields: {error}") from error


def _field(name: str, raw: Any) -> Any:
    if name in _NODE_LISTS:
        return tuple(node_of(item) for item in raw)
    if name in _ONE_NODE:
        return None if raw is None else node_of(raw)
    if name in _PAIRS:
        return tuple(raw.items())
    if name == "options":
        return options_of(raw)
    if name == "pages":
        return Pages(raw)
    return tuple(raw) if name in {"args", "items"} else raw


class Pages(Sequence[Node]):
    """The members of a wide group, made into nodes when they are asked for, a page at a time.

    A task is 550 bytes in memory and 30 here: ten thousand members do not weigh on a worker.

    Args:
        texts: ``PAGE`` members each, the last what is left: JSON, compressed, in base64.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._number = len(texts) - 1
        self._open = self._nodes(self._number)
        self._length = PAGE * self._number + len(self._open)

    def _nodes(self, number: int) -> tuple[Node, ...]:
        raw = json.loads(zlib.decompress(base64.b64decode(self.texts[number])))
        return tuple(node_of(one) for one in raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as equal tuples have another

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Node, ...]: ...
    def __getitem__(self, index: int | slice) -> Node | tuple[Node, ...]:
        """By position; cheap in order."""
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        number, within = divmod(range(len(self))[index], PAGE)
        if number != self._number:
            self._number, self._open = number, self._nodes(number)
        return self._open[within]

    def tasks(self) -> Iterator[int]:
        """How many tasks each member holds, callbacks left out, without making nodes of them."""
        for text in self.texts:
            for raw in json.loads(zlib.decompress(base64.b64decode(text))):
                yield _tasks(raw)


def _tasks(raw: dict[str, Any]) -> int:
    if "pages" in raw:
        return sum(Pages(raw["pages"]).tasks())
    inner = [raw.get("header"), raw.get("body"), *raw.get("members", ()), *raw.get("steps", ())]
    return sum(_tasks(one) for one in inner if one) or int(raw["kind"] not in _HOLDERS)


def _pages(members: Sequence[Node]) -> list[str]:
    return [_page(members[start : start + PAGE]) for start in range(0, len(members), PAGE)]


def _page(members: Sequence[Node]) -> str:
    text = json.dumps([plain(one, paged=True) for one in members], separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


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
