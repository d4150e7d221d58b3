"""Nodes as an SVG drawing: chains run to the right, groups stack downwards in a frame.

Every node is measured first and drawn second, so that boxes never overlap and a frame is exactly
as large as what it holds. Callbacks stand below what they are linked to, on dashed arrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from offcanvas.canvas.draw import cut, label, notes
from offcanvas.canvas.nodes import Chain, Chord, Group, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pixels. A letter of 13 px sans-serif is close to 7.2 px wide on average.
_LETTER, _LINE, _PAD, _GAP, _ARROW = 7.2, 18.0, 10.0, 12.0, 34.0

_STYLE = """
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2933; }
  .note, .title { font-size: 11px; fill: #52606d; }
  .task { fill: #e3f0ff; stroke: #2f6fb3; }
  .batch { fill: #efe7fb; stroke: #6b46a8; }
  .more { fill: #f5f7fa; stroke: #9aa5b1; stroke-dasharray: 4 3; }
  .body { fill: #e2f5e9; stroke: #2b8a57; }
  .frame { fill: none; stroke: #9aa5b1; stroke-width: 1.2; }
  .chord { stroke: #2b8a57; }
  .arrow { fill: none; stroke: #3e4c59; stroke-width: 1.4; marker-end: url(#tip); }
  .link { stroke: #2b8a57; stroke-dasharray: 5 3; }
  .error { stroke: #c43d3d; stroke-dasharray: 5 3; }
"""


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A measured picture; ``parts`` are drawn relative to its upper left corner.

    ``middle`` is the height at which arrows enter and leave, ``leave`` how far right of the left
    edge they leave: callbacks may be wider than what they are linked to.
    """

    width: float
    height: float
    middle: float
    leave: float
    parts: tuple[tuple[float, float, str | _Drawing], ...]

    def render(self, x: float, y: float) -> str:
        out = []
        for left, top, part in self.parts:
            if isinstance(part, str):
                out.append(f'<g transform="translate({x + left:.1f} {y + top:.1f})">{part}</g>')
            else:
                out.append(part.render(x + left, y + top))
        return "\n".join(out)


def svg(node: Node) -> str:
    """``node`` as one standalone SVG document."""
    drawing = _draw(node)
    width, height = drawing.width + 2 * _PAD, drawing.height + 2 * _PAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label(node), quote=True)}">\n'
        f"<style>{_STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#3e4c59"/></marker>'
        "</defs>\n"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f"{drawing.render(_PAD, _PAD)}\n</svg>\n"
    )


def _draw(node: Node, role: str = "task") -> _Drawing:
    match node:
        case Chain(steps=steps) if steps:
            drawing = _row([_draw(step, role) for step in steps])
        case Group(members=members) if members:
            drawing = _frame(members, label(node), "frame")
        case Chord(header=header, body=body) if header.members:
            head = _frame(header.members, f"chord header of {len(header.members):,}", "frame chord")
            drawing = head if body is None else _row([head, _draw(body, "body")])
        case Chord(body=body) if body is not None:
            drawing = _draw(body, "body")
        case _:
            drawing = _box(node, role)
    return _with_callbacks(node, drawing)


def _box(node: Node, role: str) -> _Drawing:
    word = label(node)
    css = role if "(" in word else "batch"
    return _text_box(word, notes(node), css)


def _text_box(word: str, note: str, css: str) -> _Drawing:
    width = max(len(word) * _LETTER, len(note) * _LETTER * 11 / 13) + 2 * _PAD
    height = (_LINE if not note else 2 * _LINE) + _PAD
    text = (
        f'<rect class="{css}" width="{width:.1f}" height="{height:.1f}" rx="5"/>'
        f'<text x="{_PAD}" y="{_PAD / 2 + 13}">{escape(word)}</text>'
    )
    if note:
        text += f'<text class="note" x="{_PAD}" y="{_PAD / 2 + 13 + _LINE}">{escape(note)}</text>'
    return _Drawing(width, height, height / 2, width, ((0, 0, text),))


def _row(pictures: Sequence[_Drawing]) -> _Drawing:
    middle = max(picture.middle for picture in pictures)
    parts: list[tuple[float, float, str | _Drawing]] = []
    x = leave = 0.0
    for position, picture in enumerate(pictures):
        if position:
            length = x - leave + _ARROW - 3
            parts.append((leave, middle, f'<path class="arrow" d="M2 0 H{length:.1f}"/>'))
            x += _ARROW
        parts.append((x, middle - picture.middle, picture))
        leave = x + picture.leave
        x += picture.width
    height = max(middle - picture.middle + picture.height for picture in pictures)
    return _Drawing(x, height, middle, leave, tuple(parts))


def _frame(members: Sequence[Node], title: str, css: str) -> _Drawing:
    shown, more = cut(members)
    pictures = [_draw(member) for member in shown]
    if more:
        pictures.append(_text_box(more, "", "more"))
    inner = max(*(picture.width for picture in pictures), len(title) * _LETTER * 11 / 13)
    width = inner + 2 * _PAD
    y = _LINE + _PAD / 2
    parts: list[tuple[float, float, str | _Drawing]] = []
    for picture in pictures:
        parts.append((_PAD, y, picture))
        y += picture.height + _GAP
    height = y - _GAP + _PAD
    border = (
        f'<rect class="{css}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        f'<text class="title" x="{_PAD}" y="15">{escape(title)}</text>'
    )
    return _Drawing(width, height, height / 2, width, ((0, 0, border), *parts))


def _with_callbacks(node: Node, drawing: _Drawing) -> _Drawing:
    hanging = [("link", "on success", item) for item in node.options.link]
    hanging += [("error", "on error", item) for item in node.options.link_error]
    if not hanging:
        return drawing
    parts: list[tuple[float, float, str | _Drawing]] = [(0, 0, drawing)]
    width, y = drawing.width, drawing.height + _GAP
    stem = _PAD + 4
    for css, word, callback in hanging:
        picture = _draw(callback)
        left = stem + _ARROW + len(word) * _LETTER * 11 / 13
        drop = y + picture.middle - drawing.height
        path = f'<path class="arrow {css}" d="M{stem} 0 V{drop:.1f} H{left - 3:.1f}"/>'
        text = f'<text class="note" x="{stem + 6}" y="{drop - 4:.1f}">{word}</text>'
        parts += [(0, drawing.height, path + text), (left, y, picture)]
        width = max(width, left + picture.width)
        y += picture.height + _GAP
    return _Drawing(width, y - _GAP, drawing.middle, drawing.leave, tuple(parts))
