"""One failing member: its siblings run, the body does not, the error callback is called once.

In Canvas: `chord(header, body.on_error(record_error))`. Here: two tasks after the mapped one. The
body's trigger rule is `none_failed`, so that a failed member makes it `upstream_failed`, and the
DAG run fails; the callback's is `one_failed`: it runs as soon as one member has failed, once
however many do, and is skipped if none does. The siblings go on, as in Celery.

A task that fails leaves no exception behind, only a state, and its words in a log. What the caller
and the callback get is what the step itself has left as an XCom (`tasks`): the member's own error,
with its type and text, where Canvas has a ChordError that quotes it. (`on_failure_callback`, which
looks most like `on_error`, runs in the process of each member that has failed.)
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import ERROR, RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, generate_roll, object_to, record_error, sum_pages


@dag(**DAG)
def error_in_header() -> None:
    """assign_all, object_to(first), then chord(header, sum_pages).on_error(record_error)."""
    stations = assign_all(RUN)
    pages = generate_roll.partial(run=RUN).expand(station_id=stations)
    object_to(RUN, stations) >> pages
    record_error(RUN, pages[ERROR])
    sum_pages(RUN, pages)


error_in_header()
