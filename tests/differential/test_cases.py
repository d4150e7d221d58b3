"""Canvases that random ones seldom reach, on a real worker and in memory."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from celery import VERSION, chain, chord, group

from tests.differential.observe import on_celery, on_memory
from tests.differential.tasks import (
    app,
    boom,
    describe,
    echo,
    errback,
    gives_up,
    mute,
    note,
    one,
    swap_group,
)

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


@dataclass(frozen=True)
class Case:
    """An example written as the canvas itself."""

    make: Any
    args: tuple = ()

    def build(self):
        return self.make()


def stamped():
    sig = chain(describe.s(), describe.s())
    sig.stamp(batch="b7")
    return sig


def linked_chord():
    sig = chord([echo.s(1), echo.s(2)], echo.s())
    sig.link(note.s("linked"))
    return sig


def failing_group_body():
    sig = chord([boom.s(), echo.s(1)], group(echo.s(), echo.s()))
    sig.link_error(errback.s())
    return sig


def of(*numbers):
    return group([echo.s(number) for number in numbers])


def in_two(sig):
    """In a group of one, in another."""
    return group([group([sig])])


def chords():
    return group([chord([echo.s(2)], echo.s(3)), chord([], echo.s(4))])


def nested_header(failing):
    sig = chord([failing, chain(echo.s(1), group(echo.s(), echo.s()))], echo.s())
    sig.link_error(errback.s())
    return sig


CASES = {
    "errback of a header with a group inside": lambda: nested_header(boom.si()),
    "errback of a header with a group and a chord inside": lambda: nested_header(
        chord([echo.s(1)], boom.si())
    ),
    "priority": lambda: describe.s().set(priority=7),
    "stamps": stamped,
    "request of a group": lambda: group(describe.s(), chain(describe.s(), describe.s())),
    "request of a chord": lambda: chord([describe.s(), describe.s()], describe.si()),
    "chain in a chord in a group": lambda: group(
        chord([describe.s()], chain(describe.si(), echo.s()))
    ),
    "ignored task in a chain": lambda: chain(echo.s(), gives_up.s(), echo.s()),
    "ignored task in a header": lambda: chord([gives_up.s(), echo.s()], echo.s()),
    "a result that no serializer takes": lambda: mute.s().set(link_error=[note.s()]),
    "such a result on its way to a task": lambda: chain(mute.s(), echo.s()),
    "arguments that do not fit the next task": lambda: chain(echo.s(1), one.s(2)),
    "arguments that do not fit the body": lambda: chord([echo.s(1)], one.s(2)),
    "link of a chord": linked_chord,
    "errback of a chord with a group body": failing_group_body,
    "errback on a group option": lambda: group(boom.s(), boom.s(1)).set(link_error=[note.s("g")]),
    "errbacks of a chain": lambda: chain(echo.s(), boom.s(), echo.s()).on_error(errback.s()),
    "two callbacks and a canvas as callback": lambda: echo.s(1).set(
        link=[note.s("a"), chain(note.s("b"), note.s("c")), group(note.s("d"), note.s("e"))]
    ),
    "replaced by a group in a header": lambda: chord([swap_group.s(), echo.s()], echo.s()),
    "three groups in a chain with an app": lambda: chain(
        group(echo.s(1), echo.s(2)), group(echo.s(), echo.s()), echo.s(), app=app
    ),
    "three groups": lambda: of(1, 2) | of(3, 4) | of(5, 6),
    "four groups": lambda: of(1, 2) | of(3, 4) | of(5, 6) | of(7, 8),
    "a group of groups between groups": lambda: of(1) | group(echo.s(3), of(4, 5)) | of(5, 6),
    "three groups in a header": lambda: chord([of(1, 2) | of(3, 4) | of(5, 6)], echo.s()),
    "what follows a chord with a group for a body": lambda: chain(
        chord([echo.s(1)], of(2, 3), app=app), echo.s("t"), app=app
    ),
    "the same with a group of one task and of nothing": lambda: chain(
        chord([echo.s(1)], group([group([]), echo.s(2)]), app=app), echo.s("t"), app=app
    ),
    "errbacks of a chain for a body": lambda: chord(
        [boom.s()], chain(echo.s().on_error(note.s("step")), echo.s()).on_error(note.s("chain"))
    ),
    "a chain that starts with a group for a body": lambda: chord(
        [echo.s(1)], chain(of(2, 3), echo.s("t"), app=app)
    ),
    "the same after an empty header": lambda: chord(
        [], chain(of(2, 3), chain(echo.si(4), echo.s()), app=app), app=app
    ),
    "a task before an empty header": lambda: chain(echo.s(1), chord([], one.s())),
    "a task before an empty header with a group for a body": lambda: chain(
        echo.s(1), chord([], group(one.s(), echo.s()))
    ),
    "chunks before an empty header": lambda: chain(echo.chunks([], 2), chord([], one.s())),
    "a group of one in a group of one": lambda: chain(in_two(echo.s(1)), app=app),
    "the same before a task": lambda: chain(in_two(echo.s(1)), echo.s(2), app=app),
    "the same after a task": lambda: chain(echo.s(1), in_two(echo.s(2)), echo.s(3), app=app),
    "a chain that starts with nothing in groups for a body": lambda: chord(
        [echo.s(1)], chain(in_two(group([])), echo.s(2), app=app)
    ),
    "a chain that starts with a group in a group": lambda: chain(
        echo.s(1), group([chain(of(2, 3), echo.s(4), app=app), echo.s(5)]), app=app
    ),
    "errbacks of chains in a group for a body": lambda: chord(
        [boom.s()],
        group(
            [
                chain(echo.s(), echo.s()).on_error(errback.s()),
                chain(echo.s().on_error(note.s("step")), app=app),
                chain(echo.s(), echo.chunks([], 2)).on_error(note.s("chain")),
            ]
        ),
    ),
    "a group of chords for the body of a chord in a header": lambda: chord(
        [chord([echo.s(1)], chords())], echo.s()
    ),
    "a group of chords at the end of a chain in a header, beside a failure": lambda: chord(
        [chain(echo.s(1), chords()), boom.s()], echo.s()
    ),
    "a chord of such a group that fails": lambda: chord(
        [chain(echo.s(1), group([chord([echo.s(2)], boom.s())]), app=app)],
        echo.s().on_error(errback.s()),
    ),
    "chains of such chords": lambda: chord(
        [chord([echo.s(1)], group([chain(chord([echo.s(2)], echo.s(3)), app=app)]))], echo.s()
    ),
    "expired": lambda: chain(echo.s(1).set(expires=-5), echo.s()),
}


#: celery/celery#6734, mended in 5.7.
HANGS_ON_5_6 = {"chain in a chord in a group"}
#: Groups in chains and in headers that 5.7 plans in another way than 5.6.
OTHERWISE_ON_5_6 = {
    "errback of a header with a group inside",
    "errback of a header with a group and a chord inside",
    "four groups",
    "a group of one in a group of one",
    "the same before a task",
    "a chain that starts with nothing in groups for a body",
    "a group of chords for the body of a chord in a header",
    "a group of chords at the end of a chain in a header, beside a failure",
}


@pytest.mark.parametrize("name", CASES)
def test_memory_does_what_celery_does(worker, name):
    case = Case(CASES[name])
    real = on_celery(case, worker)
    mine = on_memory(case, worker)
    if VERSION < (5, 7) and name in HANGS_ON_5_6:
        assert real.answers == {"waits for ever"}
        assert mine.ran == real.ran
        return
    if VERSION < (5, 7) and name in OTHERWISE_ON_5_6:
        assert mine.differences(real)
        return
    assert real.ran or real.answers != {"waits for ever"}
    assert mine.differences(real) == []


def test_a_third_group_runs_once_where_celery_runs_it_for_each_member(worker):
    case = Case(
        lambda: (
            group(echo.s(1), echo.s(2)) | group(echo.s(), echo.s()) | group(note.s(), note.s("x"))
        )
    )

    def notes(seen):
        return Counter(entry.partition("(")[0] for entry in seen.ran.elements())["note"]

    assert notes(on_celery(case, worker)) == 4
    assert notes(on_memory(case, worker, strict=True)) == 4
    assert notes(on_memory(case, worker, strict=False)) == 2
