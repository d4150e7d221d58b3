"""The middle way between `starmap` and one task per station: one task for five stations.

In Canvas: `generate_roll.chunks(pairs, 5).group() | sum_pages`; each chunk is a starmap of its
own, and its result a list. Here: one mapped task per chunk. What is mapped over has to be an
XCom, so cutting the list is a task of its own, and so is joining the lists: between tasks there is
nowhere for a line of Python to run. A chunk that is retried starts from its first station again,
in both.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, rolls_of_chunk, step, sum_pages

CHUNK_SIZE = 5


@step()
def cut(station_ids: list[str]) -> list[list[str]]:
    """The stations, five at a time."""
    return [
        station_ids[start : start + CHUNK_SIZE] for start in range(0, len(station_ids), CHUNK_SIZE)
    ]


@step(trigger_rule="none_failed")
def joined(parts: Sequence[list[int]]) -> list[int]:
    """The pages of all chunks, in order."""
    return [pages for part in parts for pages in part]


@dag(**DAG)
def chunks() -> None:
    """assign_all, then generate_roll.chunks(stations, 5).group() | sum_pages."""
    parts = rolls_of_chunk.partial(run=RUN).expand(station_ids=cut(assign_all(RUN)))
    sum_pages(RUN, joined(parts))


chunks()
