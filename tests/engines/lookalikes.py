"""Values that look like the kit's own references, in every place where a task is given one."""

from __future__ import annotations

from celery import chain, chord, group
from kombu.utils.uuid import uuid

from offcanvas.canvas.calls import STORED_TEXT
from tests.engines.apart import add, big, echo, echo_again, echo_elsewhere, length


def lookalikes(secret):
    """Values as an attacker would send them, ``secret`` being the id of somebody's result."""
    return [
        {"__offcanvas_result__": secret},
        {"__offcanvas_result__": uuid()},
        {"__offcanvas_result__": None},
        {STORED_TEXT: [secret]},
        {STORED_TEXT: 7},
        {"__offcanvas_plain__": {"__offcanvas_result__": secret}},
        {"__offcanvas_plain__": {"__offcanvas_plain__": 1}},
        [[{"__offcanvas_result__": secret}], {"a": {"__offcanvas_result__": secret}}],
    ]


def suite(secret):
    """One canvas with all lookalikes in all places, and what it has to give."""
    pairs = [pair for value in lookalikes(secret) for pair in canvases(value)]
    return group(canvas for canvas, _ in pairs), [expected for _, expected in pairs]


def canvases(value):
    """Canvases, each with what it gives: the value, wherever it has been."""
    return [
        (echo.s(value), value),
        (echo.s(more=value), {"more": value}),
        (chain(echo.s(value), echo.s(), echo.s()), value),
        (chord([echo.s(value), add.s(1), echo.s([value])], echo.s()), [value, 2, [value]]),
        (chain(group(echo.s(value), echo.s(value)), echo.s()), [value, value]),
        (chain(group(echo.s(value), echo.s(1)), group(echo.s(), echo.s())), [[value, 1]] * 2),
        (chain(echo.s(value), echo_again.s(), echo.s()), value),
        (chain(echo.s(value), echo_elsewhere.s(), echo.s()), value),
        # Beside a value that does travel by reference.
        (chord([big.s(5_000), echo.s(value)], echo.s()), ["x" * 5_000, value]),
        (chain(echo.s([value, "y" * 5_000]), echo_again.s(), echo.s()), [value, "y" * 5_000]),
        (chain(big.s(5_000), length.s(), echo.s()), 5_000),
    ]
