"""One failing member: its siblings run, the body does not, the error callback is called once.

In Canvas: `chord(header, body.on_error(record_error))`. Here: try and except around the fan-out.
`join` lets all members end before it raises, as a header does; then the callback is a task like
any other, and the error goes on: the flow run's state is Failed, and its persisted result is the
exception, which is how the caller in another process gets it back.

Canvas tells the callback and the caller about a ChordError that quotes the member's error; here
both get the member's own error, with its type and text.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, generate_roll, object_to, record_error, sum_pages


@flow(name="error_in_header", **FLOW)
def error_in_header(run_id: str) -> int:
    """assign_all, object_to(first), then chord(header, sum_pages).on_error(record_error)."""
    stations = assign_all(run_id)
    for first in stations[:1]:
        object_to(run_id, first)
    try:
        pages = join(generate_roll.map(unmapped(run_id), stations))
    except Exception as error:
        record_error(run_id, str(error))
        raise
    return sum_pages(run_id, pages)
