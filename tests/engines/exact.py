"""What the support table calls exact, held row by row: of a task sent alone and inside a canvas.

One suite for every engine, and for a Celery worker, whose answers the expected ones are. Only where
a row says what Celery documents and does not do, Celery is not asked (``NOT_CELERY``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import chain, chord, group

from offcanvas.checking.seen import UUID
from offcanvas.engines.features import DEVIATIONS, Feature
from offcanvas.testing.tasks import listed
from tests.engines.apart import (
    add,
    alarm,
    boom,
    extends,
    flaky,
    ignored,
    starts,
    swapped,
    total,
    write,
)
from tests.engines.files import lines
from tests.engines.heard import Item, again, doubled, fine
from tests.engines.heard import fails as heard_failing
from tests.engines.odd import (
    adds_bill,
    fails,
    look,
    noted,
    plus,
    replaced_by_bill,
    replaced_by_bills,
    revokes_now,
    same,
    shown,
    silent,
    silent_but_for_errors,
    stamps,
    told,
    waits_for_another,
)

PENDING = "waits for ever"
#: By itself, and as a part of something else.
ALONE, INSIDE = "alone", "inside"


@dataclass(frozen=True)
class Case:
    """A canvas, what its caller gets (an error as text), and the lines that tasks write."""

    made: Callable[[str], Any]
    answer: Any
    lines: tuple[str, ...] = ()
    options: dict | Callable[[str], dict] = field(default_factory=dict)
    #: What of a value is looked at.
    seen: Callable[[Any], Any] = lambda value: value


def _stamped(canvas):
    canvas.stamp(b=1, a=2)
    return canvas


def _revoked_by_id(task):
    name = str(uuid4())
    return chain(revokes_now.si([name]), task.set(task_id=name))


def _revoked_by_stamp(task):
    task.stamp(batch=str(uuid4()))
    return chain(revokes_now.si(headers={"batch": task.options["batch"]}), task)


def _linked(canvas, path):
    return canvas.set(link=[noted.s(path=path), noted.s(path=path)])


def _called(path):
    """Options of a call: an error callback."""
    return {"link_error": told.s(path=path)}


VALUES = {"day": date(2026, 11, 29), "price": Decimal("1.50"), "raw": b"\x00", "1": [2, 3]}
#: The hooks and signals of a task that is fine.
FINE = (
    *("task_prerun", "before_start", "on_success fine", "after_return SUCCESS"),
    *("task_success fine", "task_postrun SUCCESS"),
)
FAILS = (
    *("task_prerun", "before_start", "on_failure KeyError('no')", "after_return FAILURE"),
    *("task_failure KeyError('no')", "task_postrun FAILURE"),
)
AGAIN = (
    *("task_prerun", "before_start", "on_retry", "task_retry"),
    *("task_postrun RETRY", "task_prerun", "before_start", "on_success again"),
    *("after_return SUCCESS", "task_success again", "task_postrun SUCCESS"),
)
REVOKED = "TaskRevokedError('expired')"
STOPPED = "TaskRevokedError('revoked')"
WAITS = "RuntimeError('Never call result.get() within a task!"
NO_CHORD = "ValueError('Current task is not member of any chord')"
PRICED = {"price": 4, "name": "thing"}
MISFIT = "TypeError(\"alarm() missing 2 required positional arguments: 'exc' and 'traceback'\")"
TOLD = ("""told ChordError("Dependency ID raised ValueError('boom', 0)")""",)
LIMIT = {"shadow": "other"}

#: By row and form; where a row has several sides, by its side as well.
CASES = {
    (Feature.NODE_TASK, ALONE): Case(lambda _: add.s(1), 2),
    (Feature.NODE_TASK, INSIDE): Case(lambda _: group(add.s(1), add.s(2)), [2, 3]),
    (Feature.NODE_CHAIN, ALONE): Case(lambda _: chain(add.s(1), add.s(2), add.si(3)), 4),
    (Feature.NODE_CHAIN, INSIDE): Case(
        lambda _: chord([chain(add.s(1), add.s(2)), add.s(1)], listed.s()), [4, 2]
    ),
    (Feature.NODE_GROUP, ALONE): Case(lambda _: group(add.s(1), add.s(2)), [2, 3]),
    (Feature.NODE_GROUP, INSIDE): Case(
        lambda _: chain(add.s(1), group(add.s(1), add.s(2))), [3, 4]
    ),
    (Feature.NODE_CHORD, ALONE): Case(lambda _: chord([add.s(1), add.s(2)], total.s()), 5),
    (Feature.NODE_CHORD, INSIDE): Case(
        lambda _: chord([chord([add.s(1)], total.s()), add.s(1)], listed.s()), [2, 2]
    ),
    (Feature.NODE_CHUNKS, ALONE): Case(
        lambda _: add.chunks([(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]
    ),
    (Feature.TASK_STARTS_CANVAS, ALONE): Case(starts.s, None, ("3",)),
    (Feature.TASK_STARTS_CANVAS, INSIDE): Case(
        lambda path: chain(add.s(1), starts.si(path)), None, ("3",)
    ),
    (Feature.NODE_MAP, ALONE): Case(lambda _: add.map([1, 2]), [2, 3]),
    (Feature.NODE_MAP, INSIDE): Case(lambda _: chain(add.map([1, 2]), total.s()), 5),
    (Feature.NODE_STARMAP, ALONE): Case(lambda _: add.starmap([(1, 2), (3, 4)]), [3, 7]),
    (Feature.NODE_STARMAP, INSIDE): Case(
        lambda _: chord([add.starmap([(1, 2)]), add.s(1)], listed.s()), [[3], 2]
    ),
    (Feature.OPTION_EXPIRES, ALONE): Case(lambda _: add.s(1), REVOKED, options={"expires": -1}),
    (Feature.OPTION_EXPIRES, INSIDE): Case(
        lambda _: chain(add.s(1), add.s(1).set(expires=-1)), REVOKED
    ),
    (Feature.OPTION_EXPIRES, INSIDE, "in time"): Case(
        lambda _: chain(add.s(1), add.s(1).set(expires=600)), 3
    ),
    (Feature.OPTION_IGNORE_RESULT, ALONE): Case(lambda _: silent.s(1), None),
    (Feature.OPTION_IGNORE_RESULT, ALONE, "as an option"): Case(
        lambda _: add.s(1), None, options={"ignore_result": True}
    ),
    (Feature.OPTION_IGNORE_RESULT, INSIDE): Case(lambda _: chain(silent.s(1), plus.s(1)), 2),
    (Feature.OPTION_IGNORE_RESULT, INSIDE, "a member"): Case(
        lambda _: group(silent.s(1), plus.s(1)), PENDING
    ),
    (Feature.OPTION_IGNORE_RESULT, INSIDE, "beside a group in a header"): Case(
        lambda _: chord(
            [silent.s(1), chain(plus.s(1), group(plus.s(1), plus.s(2)))], listed.s()
        ),
        [None, [3, 4]],
    ),
    (Feature.OPTION_IGNORE_RESULT, INSIDE, "a failed step of a header"): Case(
        lambda _: chord(
            [chain(boom.s().set(ignore_result=True), plus.s(1)), plus.s(1)], listed.s()
        ),
        "ChordError(\"Dependency ID raised ValueError('boom', 0)\")",
    ),
    (Feature.OPTION_SHADOW, ALONE): Case(
        lambda _: shown.s(), "other", options=LIMIT, seen=lambda value: value["shadow"]
    ),
    (Feature.OPTION_SHADOW, INSIDE): Case(
        lambda _: chain(plus.s(1), shown.s().set(**LIMIT)), "other", seen=lambda it: it["shadow"]
    ),
    # Celery's list of their names comes out of a set.
    (Feature.OPTION_STAMPS, ALONE): Case(
        lambda _: _stamped(stamps.s()),
        [["a", "b"], {"a": 2, "b": 1}],
        seen=lambda value: [sorted(value[0]), value[1]],
    ),
    (Feature.OPTION_STAMPS, INSIDE): Case(
        lambda _: _stamped(chain(plus.s(1), stamps.s())), ["a", "b"], seen=lambda it: sorted(it[0])
    ),
    (Feature.OPTION_LINK, ALONE): Case(lambda path: _linked(plus.s(1), path), 2, ("ran 2",) * 2),
    (Feature.OPTION_LINK, INSIDE): Case(
        lambda path: chord([_linked(plus.s(1), path), plus.s(2)], total.s()), 5, ("ran 2",) * 2
    ),
    (Feature.OPTION_LINK_ERROR, ALONE): Case(
        lambda path: boom.s().on_error(told.s(path=path)),
        "ValueError('boom', 0)",
        ("told ValueError('boom', 0)",),
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE): Case(
        lambda path: chain(plus.s(1), boom.s().on_error(told.s(path=path)), plus.s(1)),
        "ValueError('boom', 1)",
        ("told ValueError('boom', 1)",),
    ),
    (Feature.TASK_RETRY, ALONE): Case(lambda _: flaky.s(4), 4),
    (Feature.TASK_RETRY, INSIDE): Case(lambda _: chord([flaky.s(4), add.s(1)], total.s()), 6),
    (Feature.TASK_REPLACE, ALONE): Case(lambda _: swapped.s(1), 12),
    (Feature.TASK_REPLACE, INSIDE): Case(
        lambda _: chord([swapped.s(1), add.s(1)], listed.s()), [12, 2]
    ),
    (Feature.TASK_ADD_TO_CHORD, ALONE): Case(lambda _: extends.s(1), NO_CHORD),
    (Feature.TASK_ADD_TO_CHORD, INSIDE): Case(
        lambda _: chord([extends.s(1), add.s(1)], total.s()), 104
    ),
    (Feature.TASK_REPLACE, ALONE, "by a class of its own"): Case(
        lambda _: replaced_by_bill.s(1), "1:acme"
    ),
    (Feature.TASK_REPLACE, INSIDE, "by a class of its own"): Case(
        lambda _: chain(plus.s(1), replaced_by_bill.s(), plus.s("!")), "2:acme!"
    ),
    (Feature.TASK_REPLACE, INSIDE, "by a chord of classes of their own"): Case(
        lambda _: chord([replaced_by_bills.s(1), plus.s(1)], listed.s()),
        ["['1:acme', '1:acme']:acme", 2],
    ),
    (Feature.TASK_ADD_TO_CHORD, INSIDE, "a class of its own"): Case(
        lambda _: chord([adds_bill.s(1), plus.s(1)], listed.s()),
        [1, "1:acme", 2],
        # On Celery an added member has the place of who added it; Redis puts the two in the order
        # of their ids, which are random.
        seen=lambda value: sorted(value, key=str),
    ),
    (Feature.NODE_CHAIN, INSIDE, "reversed by a task"): Case(
        lambda path: chain(
            look.s(1, "reverse"), plus.s(10), noted.s(path=path), noted.s(path=path), plus.s(20)
        ),
        21,
        ("ran 21", "ran 21"),
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "that does not fit a body"): Case(
        lambda _: chord([boom.s(), plus.s(1)], total.s().on_error(alarm.s())),
        "ValueError('boom', 0)",
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "that does not fit a member of a header"): Case(
        lambda _: chord([boom.s().on_error(alarm.s()), plus.s(1)], total.s()), MISFIT
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "that does not fit a body that fails"): Case(
        lambda _: chord([plus.s(1)], boom.s().on_error(alarm.s())), MISFIT
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "of the call of a chord"): Case(
        lambda _: chord([boom.s(), plus.s(1)], total.s()), "ValueError('boom', 0)", TOLD, _called
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "several, of the call of a chord"): Case(
        lambda path: chord([boom.s(), plus.s(1)], total.s()),
        "ValueError('boom', 0)",
        (*TOLD, "other"),
        lambda path: {"link_error": [told.s(path=path), write.si("other", path=path)]},
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "of the call of a chord for a body"): Case(
        lambda path: chord([boom.s(), plus.s(1)], chord([plus.si(1)], total.s())),
        "ValueError('boom', 0)",
        TOLD,
        _called,
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "of the call of a group before a task"): Case(
        lambda _: chain(group(boom.s(), plus.s(1)), total.s()),
        "ValueError('boom', 0)",
        TOLD,
        _called,
    ),
    (Feature.OPTION_LINK_ERROR, INSIDE, "of the call of a chain with a group in it"): Case(
        lambda path: chain(plus.s(1), group(boom.s(), plus.s(1)), total.s(), plus.s(1)),
        "ValueError('boom', 1)",
        (TOLD[0].replace("0", "1"),),
        _called,
    ),
    (Feature.TASK_RESULT_GET, ALONE): Case(lambda _: waits_for_another.s(), WAITS),
    (Feature.TASK_RESULT_GET, INSIDE): Case(
        lambda _: chain(plus.s(1), waits_for_another.s()), WAITS
    ),
    (Feature.PYDANTIC_MODELS, ALONE): Case(lambda _: doubled.s(Item(price=2)), PRICED),
    (Feature.PYDANTIC_MODELS, ALONE, "by name"): Case(
        lambda _: doubled.s(item=Item(price=2)), PRICED
    ),
    (Feature.PYDANTIC_MODELS, INSIDE): Case(
        lambda _: chord([doubled.s(Item(price=2)), add.s(1)], listed.s()), [PRICED, 2]
    ),
    (Feature.PYDANTIC_MODELS, INSIDE, "handed on"): Case(
        lambda _: chain(doubled.s(Item(price=1)), doubled.s()), PRICED
    ),
    (Feature.HOOKS_AND_SIGNALS, ALONE): Case(lambda path: fine.s(path=path), "fine", FINE),
    (Feature.HOOKS_AND_SIGNALS, ALONE, "fails"): Case(
        lambda path: heard_failing.s(path=path), "KeyError('no')", FAILS
    ),
    (Feature.HOOKS_AND_SIGNALS, ALONE, "retried"): Case(
        lambda path: again.s(path=path), "again", AGAIN
    ),
    (Feature.HOOKS_AND_SIGNALS, ALONE, "expired"): Case(
        lambda path: fine.s(path=path), REVOKED, ("task_revoked True",), {"expires": -1}
    ),
    (Feature.HOOKS_AND_SIGNALS, INSIDE): Case(
        lambda path: chord([fine.s(path=path), add.s(1)], fine.si(path=path)), "fine", FINE * 2
    ),
    (Feature.HOOKS_AND_SIGNALS, INSIDE, "fails"): Case(
        lambda path: chain(add.s(1), heard_failing.s(path=path)), "KeyError('no')", FAILS
    ),
    (Feature.JSON_VALUES, ALONE): Case(lambda _: same.s({**VALUES, "1": (2, 3)}), VALUES),
    (Feature.JSON_VALUES, INSIDE): Case(
        lambda _: chord([same.s(VALUES), same.s(1)], same.s()), [VALUES, 1]
    ),
    (Feature.ODD_EXCEPTIONS, ALONE): Case(lambda _: fails.s("base"), "Beyond('b')"),
    (Feature.ODD_EXCEPTIONS, ALONE, "cancelled"): Case(
        lambda _: fails.s("cancelled"), "CancelledError('gone')"
    ),
    (Feature.ODD_EXCEPTIONS, INSIDE): Case(
        lambda path: chain(plus.s(1), fails.si("timeout")).on_error(told.s(path=path)),
        "TimeoutError('x')",
        ("told TimeoutError('x')",),
    ),
    (Feature.STORED_EXCEPTIONS, ALONE): Case(lambda _: boom.s(), "ValueError('boom', 0)"),
    (Feature.STORED_EXCEPTIONS, INSIDE): Case(
        lambda _: chain(boom.s(), plus.s(1), plus.s(1)), "ValueError('boom', 0)"
    ),
    (Feature.HANG_IGNORE, ALONE): Case(lambda _: ignored.s(), PENDING),
    (Feature.HANG_IGNORE, INSIDE): Case(lambda _: chain(ignored.s(), add.si(1)), PENDING),
    # By its id a task is stored as revoked whatever it ignores, by a stamp as its errors are.
    (Feature.TASK_REVOKE, INSIDE, "by id, what ignores its result"): Case(
        lambda _: _revoked_by_id(silent.si(1)), STOPPED
    ),
    (Feature.TASK_REVOKE, INSIDE, "by id, what ignores it as an option"): Case(
        lambda _: _revoked_by_id(plus.si(1).set(ignore_result=True)), STOPPED
    ),
    (Feature.REVOKE_BY_STAMP, INSIDE, "what ignores its result"): Case(
        lambda _: _revoked_by_stamp(silent.si(1)), PENDING
    ),
    (Feature.REVOKE_BY_STAMP, INSIDE, "what ignores it as an option"): Case(
        lambda _: _revoked_by_stamp(plus.si(1).set(ignore_result=True)), PENDING
    ),
    (Feature.REVOKE_BY_STAMP, INSIDE, "what ignores all but errors"): Case(
        lambda _: _revoked_by_stamp(silent_but_for_errors.si(1)), STOPPED
    ),
    (Feature.REVOKE_BY_STAMP, INSIDE, "what does not ignore it this time"): Case(
        lambda _: _revoked_by_stamp(silent.si(1).set(ignore_result=False)), STOPPED
    ),
    # What Celery documents; a canvas each.
    (Feature.DEVIATION_NESTED_GROUP_ORDER, INSIDE): Case(
        lambda _: chord([add.s(1), group(add.s(2), add.s(3)), add.s(4)], listed.s()), [2, 3, 4, 5]
    ),
    (Feature.DEVIATION_GROUP_BODY_THEN_GROUP, INSIDE): Case(
        lambda _: chain(chord([add.s(1)], group(total.s(), total.s())), group(total.s(), same.s())),
        [4, [2, 2]],
    ),
    (Feature.DEVIATION_INNER_CALLBACKS, INSIDE): Case(
        lambda path: chain(chain(add.s(1), add.s(1)).set(link=[noted.s(path=path)]), add.s(1)),
        4,
        ("ran 3",),
    ),
    (Feature.DEVIATION_INNER_OPTIONS, INSIDE): Case(
        lambda _: group(plus.s(1), group(shown.s(), shown.s()).set(time_limit=77)),
        [77, 77],
        seen=lambda value: [one["timelimit"][0] for one in value[1:]],
    ),
    (Feature.DEVIATION_ARGUMENTS_OF_A_LEADING_GROUP, INSIDE): Case(
        lambda _: chain(add.s(1), group(chain(group(add.s(1), add.s(2)), total.s()), add.s(1))),
        [7, 3],
    ),
    (Feature.DEVIATION_CHORDS_THAT_END_A_HEADER, INSIDE): Case(
        lambda _: chord(
            [
                add.s(1),
                chain(add.s(1), group(chord([add.s(1)], total.s()), chord([add.s(2)], total.s()))),
            ],
            listed.s(),
        ),
        [2, [3, 4]],
    ),
    (Feature.DEVIATION_CHUNKS_INSIDE, INSIDE): Case(
        lambda _: chain(add.chunks([(1, 2), (3, 4), (5, 6)], 2), listed.s()), [[3, 7], [11]]
    ),
}  # fmt: skip

#: Rows of which a task alone has no part.
CANVASES_ONLY = set(DEVIATIONS)
#: And inside of which Celery has none: see DEVIATION_CHUNKS_INSIDE.
ALONE_ONLY = {Feature.NODE_CHUNKS}
#: Rows on what Celery documents and does not do.
NOT_CELERY = set(DEVIATIONS)
#: Rows that a suite of their own holds.
ELSEWHERE = {Feature.RESULT_BACKEND}


class Exact:
    """What every engine does as a Celery worker does."""

    @pytest.mark.parametrize("name", CASES, ids=" ".join)
    def test_row(self, on_engine, name, path):
        case = CASES[name]
        options = case.options(path) if callable(case.options) else case.options
        outcome = on_engine(case.made(path), **options)
        written = lines(path) if Path(path).exists() else []
        written = sorted(UUID.sub("ID", line) for line in written)
        assert (_answer(outcome, case), written) == (case.answer, sorted(case.lines))


def _answer(outcome, case):
    if outcome.state == "PENDING":
        return PENDING
    if outcome.error is None:
        return case.seen(outcome.value)
    said = UUID.sub("ID", repr(outcome.error))
    # The rest of Celery's text is an address.
    return WAITS if said.startswith(WAITS) else said
