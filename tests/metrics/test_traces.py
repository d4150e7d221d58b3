"""Headers that carry a trace, and collectors that are none; whole traces are in test_kit.py."""

import logging
import os
import subprocess
import sys

import pytest

from comparisons.stage import ROOT
from offcanvas import tracing
from offcanvas.canvas.nodes import Chain, Chord, Group, Options, Task, walk
from offcanvas.tracing.headers import with_headers
from tests.metrics.scraping import free_port


def test_headers_reach_every_task_and_leave_its_own():
    def task(name, **options):
        return Task(name=name, options=Options(**options))

    plan = Chain(
        steps=(
            Chord(
                header=Group(members=(task("a"), task("b", extra=(("headers", {"own": "1"}),)))),
                body=task("c", link=(task("d"),), link_error=(task("e"),)),
            ),
            task("f"),
        )
    )
    found = {
        place.node.name: dict(place.node.options.extra).get("headers")
        for place in walk(with_headers(plan, {"traceparent": "x"}))
        if isinstance(place.node, Task)
    }
    assert found.pop("b") == {"own": "1", "traceparent": "x"}
    assert found == {name: {"traceparent": "x"} for name in "acdef"}


def test_without_tracing_a_plan_is_left_alone():
    plan = Task(name="a")
    assert tracing.carried(plan) is plan


@pytest.mark.parametrize(
    ("to", "address", "told"),
    [
        ("nonsense", None, "no traces: 'nonsense' is neither otlp nor file:PATH; "),
        ("file:/no/such/folder/spans", None, "no traces: [Errno 2] No such file or directory"),
        (
            "otlp",
            "localhost:1",
            "no traces: OTEL_EXPORTER_OTLP_ENDPOINT=localhost:1 is not an address",
        ),
        ("otlp", "http://127.0.0.1:<port>", "no traces: no collector at http://127.0.0.1:<port> ("),
    ],
)
def test_what_is_no_collector_is_one_line(to, address, told):
    port = str(free_port())
    environment = {**os.environ, tracing.VARIABLE: to}
    if address is not None:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = address.replace("<port>", port)
    program = (
        "from opentelemetry import trace\n"
        "from offcanvas import tracing\n"
        "tracing.start_if_asked()\n"
        "for _ in range(3):\n"
        "    with trace.get_tracer('x').start_as_current_span('y'): pass\n"
        "    tracing.flush()\n"
        "print('the work goes on')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=True, capture_output=True, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert ran.stdout == "the work goes on\n"
    assert ran.stderr.count("\n") == 1, ran.stderr
    assert ran.stderr.startswith(told.replace("<port>", port)), ran.stderr


def test_a_missing_library_is_one_line(caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    monkeypatch.delitem(sys.modules, "offcanvas.tracing.provider", raising=False)
    with caplog.at_level(logging.WARNING):
        assert tracing.start("otlp") is False
    assert [record.getMessage() for record in caplog.records] == [
        "no traces: install them with pip install 'offcanvas[tracing]'"
    ]
