"""The canvases are what their modules say, before any of them is sent."""

from collections.abc import Iterator

import pytest
from celery import group
from celery.canvas import Signature, _chain, _chord

from celery_impl import (
    all_in_one,
    assign_stations_in_parallel,
    chord_by_center,
    chord_by_station,
    chunks,
    error_in_header,
    starmap,
    workloads,
)
from celery_impl import chain as plain_chain
from celery_impl import (
    group as plain_group,
)
from shared import steps
from tests.celery_impl.places import addresses, register

RUN = "r"


@pytest.fixture(scope="module", autouse=True)
def _assigned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with addresses(tmp_path_factory.mktemp("canvases"), {}):
        register(A=501, B=2_501)  # 2 and 6 stations
        steps.begin_run(RUN, "chord_by_station", "celery")
        steps.assign_all(RUN)
        yield


def names(members: list[Signature]) -> list[str]:
    return [member.task.rpartition(".")[2] for member in members]


def test_chords_have_one_member_for_each_station_or_center() -> None:
    by_station, by_center = chord_by_station.canvas(RUN), chord_by_center.canvas(RUN)
    assert isinstance(by_station, _chord)
    assert names(by_station.tasks) == ["generate_roll"] * 8
    assert names(by_center.tasks) == ["assign_and_print"] * 2
    assert {chord.body.task for chord in (by_station, by_center)} == {"celery_impl.tasks.sum_pages"}


def test_chunks_are_a_chord_of_starmaps_of_five() -> None:
    canvas = chunks.canvas(RUN)
    assert isinstance(canvas, _chord)
    assert names(canvas.tasks) == ["starmap", "starmap"]
    assert [len(member.kwargs["it"]) for member in canvas.tasks] == [5, 3]


def test_starmap_is_one_message_and_a_sum() -> None:
    canvas = starmap.canvas(RUN)
    assert isinstance(canvas, _chain)
    assert names(canvas.tasks) == ["starmap", "sum_pages"]
    assert len(canvas.tasks[0].kwargs["it"]) == 8


def test_only_the_sum_of_the_chain_takes_a_result() -> None:
    canvas = plain_chain.canvas(RUN)
    assert names(canvas.tasks) == ["assign_all", "generate_all", "sum_pages", "publish_summary"]
    assert [member.immutable for member in canvas.tasks] == [True, True, False, True]


def test_groups_have_no_fan_in() -> None:
    by_station, by_center = plain_group.canvas(RUN), assign_stations_in_parallel.canvas(RUN)
    assert isinstance(by_station, group)
    assert isinstance(by_center, group)
    assert (len(by_station.tasks), len(by_center.tasks)) == (8, 2)


def test_the_error_callback_hangs_on_the_body_alone() -> None:
    canvas = error_in_header.canvas(RUN)
    assert names(canvas.body.options["link_error"]) == ["record_error"]
    assert not any("link_error" in member.options for member in canvas.tasks)


def test_all_in_one_is_one_message() -> None:
    assert all_in_one.canvas(RUN).args == (RUN,)


def test_references_are_passed_not_rows() -> None:
    def words(value: object) -> list[object]:
        if isinstance(value, dict):
            return [word for each in value.values() for word in words(each)]
        return [w for e in value for w in words(e)] if isinstance(value, list | tuple) else [value]

    for canvas in (chord_by_station.canvas(RUN), chord_by_center.canvas(RUN), chunks.canvas(RUN)):
        for member in canvas.tasks:
            calls = member.kwargs.get("it", [member.args])
            assert all(isinstance(word, str) and len(word) < 16 for word in words(list(calls)))


def test_fibonacci_steps_follow_each_other() -> None:
    canvas = workloads.canvas(RUN, "fib33", 3)
    assert isinstance(canvas, _chain)
    assert [member.kwargs["index"] for member in canvas.tasks] == [0, 1, 2]
    assert [member.args for member in canvas.tasks] == [(0,), (), ()]
