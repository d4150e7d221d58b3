"""``link`` and ``link_error`` of each kind of canvas, as Celery hands them on."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from offcanvas.port.ir import Choice, Each, Errback, If, Join, Node, Part, Seq, Side, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from offcanvas.audit.facts import Params
    from offcanvas.audit.tasks import Task


def style_of(task: Task | None, params: Params | None, step: Step) -> str:
    """How Celery calls a task as an errback: "new", "old" or, immutable, "bare".

    New: not bound and more than one positional parameter that is not filled by a stored argument
    (``Backend._call_task_errbacks`` of 5.7; celery/celery#6430, #10838).
    """
    if step.immutable:
        return "bare"
    if task is None or params is None or task.bound:
        return "old"
    left = len(params.positional) - len(step.args)
    return "new" if left > 1 else "old"


def with_errback(node: Node, errback: Errback) -> Node:
    """``node.link_error(errback)``: members of a group, the body of a chord, all of a chain."""
    match node:
        case Side(parts=parts):
            return replace(node, parts=tuple(under(part, errback) for part in parts))
        case Seq(parts=()):
            return node
        case Join(header=header, body=body):
            parts = tuple(_in_header(part, errback) for part in header.parts)
            return replace(
                node, header=replace(header, parts=parts), body=with_errback(body, errback)
            )
        case Choice(then=then, orelse=orelse):
            return replace(
                node, then=with_errback(then, errback), orelse=with_errback(orelse, errback)
            )
        case _:
            if errback in node.errbacks:
                return node
            return replace(node, errbacks=(*node.errbacks, errback))


def with_link(node: Node, link: Node) -> Node:
    """``node.link(link)``: the last step of a chain, the body of a chord, a group's first."""
    match node:
        case Side(parts=(first, *rest)) if isinstance(first, Node):
            once = replace(link, immutable=True) if isinstance(link, Step) else link
            return replace(node, parts=(with_link(first, once), *rest))
        case Seq(parts=(*before, last)) if isinstance(last, Node):
            return replace(node, parts=(*before, with_link(last, link)))
        case Join(body=body):
            return replace(node, body=with_link(body, link))
        case Choice(then=then, orelse=orelse):
            return replace(node, then=with_link(then, link), orelse=with_link(orelse, link))
        case _:
            return replace(node, links=(*node.links, link))


def _in_header(part: Part, errback: Errback) -> Part:
    """Of a chord's header only its chords get the chord's errbacks (``_chord.link_error``)."""
    match part:
        case Join():
            return with_errback(part, errback)
        case Each(parts=parts):
            return replace(part, parts=tuple(_in_header(one, errback) for one in parts))
        case If(parts=parts, orelse=orelse):
            return replace(
                part,
                parts=tuple(_in_header(one, errback) for one in parts),
                orelse=tuple(_in_header(one, errback) for one in orelse),
            )
        case _:
            return part


def under(part: Part, errback: Errback) -> Part:
    """The part with an errback on each canvas in it."""
    match part:
        case Each(parts=parts):
            return replace(part, parts=tuple(under(one, errback) for one in parts))
        case If(parts=parts, orelse=orelse):
            return replace(
                part,
                parts=tuple(under(one, errback) for one in parts),
                orelse=tuple(under(one, errback) for one in orelse),
            )
        case Node():
            return with_errback(part, errback)


def mapped(part: Part, change: Callable[[Step], Step]) -> Part:
    """The part with every step in it changed; callbacks are left alone."""
    match part:
        case Each(parts=parts):
            return replace(part, parts=tuple(mapped(one, change) for one in parts))
        case If(parts=parts, orelse=orelse):
            return replace(
                part,
                parts=tuple(mapped(one, change) for one in parts),
                orelse=tuple(mapped(one, change) for one in orelse),
            )
        case Step():
            return change(part)
        case Seq(parts=parts) | Side(parts=parts):
            return replace(part, parts=tuple(mapped(one, change) for one in parts))
        case Join(header=header, body=body):
            return replace(part, header=_node(header, change), body=_node(body, change))  # type: ignore[arg-type]  # a Side stays one
        case Choice(then=then, orelse=orelse):
            return replace(part, then=_node(then, change), orelse=_node(orelse, change))
        case _:
            return part


def _node(node: Node, change: Callable[[Step], Step]) -> Node:
    changed = mapped(node, change)
    if not isinstance(changed, Node):
        raise TypeError(f"a node became {changed!r}")
    return changed


def with_options(node: Node, given: Mapping[str, str], *, ignore: bool | None) -> Node:
    """``node.set(...)``: a task's own options; a group's and a chord's go to their tasks."""
    match node:
        case Side(parts=parts):
            return replace(
                node, parts=tuple(mapped(part, lambda s: _set(s, given, ignore)) for part in parts)
            )
        case Seq(parts=(first, *rest)) if isinstance(first, Node):
            # Options of a chain are those of its first task (_chain.run).
            return replace(node, parts=(with_options(first, given, ignore=ignore), *rest))
        case Join(header=header, body=body):
            later = {k: v for k, v in given.items() if k not in {"countdown", "eta"}}
            return replace(
                node,
                header=with_options(header, given, ignore=ignore),  # type: ignore[arg-type]  # a Side stays one
                body=with_options(body, later, ignore=ignore),
            )
        case Choice(then=then, orelse=orelse):
            return replace(
                node,
                then=with_options(then, given, ignore=ignore),
                orelse=with_options(orelse, given, ignore=ignore),
            )
        case Step():
            return _set(node, given, ignore)
        case _:
            return replace(node, options=replace(node.options, **dict(given)))  # type: ignore[arg-type]  # names are Options' own


def handed_on(node: Node, chosen: Node) -> Node:
    """``chosen`` with the options, links and errbacks of the node in whose place it comes."""
    own = node.options
    given = {
        one.name: getattr(own, one.name)
        for one in fields(own)
        if one.name != "ignore_result" and getattr(own, one.name)
    }
    if given or own.ignore_result:
        chosen = with_options(chosen, given, ignore=own.ignore_result or None)
    for link in node.links:
        chosen = with_link(chosen, link)
    for errback in node.errbacks:
        chosen = with_errback(chosen, errback)
    return chosen


def _set(step: Step, given: Mapping[str, str], ignore: bool | None) -> Step:
    options = replace(step.options, **dict(given))  # type: ignore[arg-type]  # names are Options' own
    if ignore is not None:
        options = replace(options, ignore_result=ignore)
    return replace(step, options=options)
