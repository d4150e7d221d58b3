"""A caller in a process of its own: one span, in which it sends canvases and waits for them.

    python -m tests.metrics.traced ENGINE

Prints the results and, in the end, the id of the trace.
"""

import sys
from contextlib import nullcontext

from celery import chain, chord
from opentelemetry import trace

from offcanvas import reroute, tracing
from tests.metrics.jobs import app, double, flaky, replaced, starts, total

CANVASES = (
    chord([double.s(1), flaky.s(2), replaced.s(3)], total.s()) | double.s(),
    chain(double.s(1), double.s(), double.s()),
    starts.s(5),
)


def main(engine: str) -> None:
    where = nullcontext() if engine == "celery" else reroute(app, to=engine)
    with where, trace.get_tracer("caller").start_as_current_span("caller") as span:
        for canvas in CANVASES:
            result = canvas.apply_async()
            value = result.get(timeout=120)
            if canvas is CANVASES[-1]:
                value = app.AsyncResult(value).get(timeout=120)
            sys.stdout.write(f"{value}\n")
    tracing.flush()
    sys.stdout.write(f"{span.get_span_context().trace_id:032x}\n")


if __name__ == "__main__":
    main(sys.argv[1])
