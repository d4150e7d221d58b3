"""What tasks and their classes do beyond canvases, on every engine: the values are Celery's own.

One suite for every engine, like ``canvases.Canvases``: `on_engine` runs a canvas to its end. Each
value was measured on a worker of Celery 5.7.
"""

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from celery import chain, chord, group
from celery.exceptions import Reject, TaskRevokedError, WorkerLostError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.signals import before_task_publish
from celery.utils.serialization import UnpickleableExceptionWrapper
from kombu.exceptions import EncodeError

from tests.engines.apart import alarm, boom, total, write
from tests.engines.files import lines
from tests.engines.odd import (
    VICTIM,
    Beyond,
    again,
    announced,
    bill,
    bill_again,
    bill_errback,
    bill_note,
    charge,
    doubled,
    dropped,
    fails,
    limited,
    limits,
    look,
    look_and_replace,
    look_and_retry,
    looks_again,
    noted,
    plus,
    rated,
    requeued_early,
    requeued_once,
    retries_as,
    retries_quietly,
    revokes_stamped,
    revoking,
    same,
    shown,
    silent,
    silent_but_for_errors,
    stamps,
    steps,
    told,
    unheard_of,
    waits_for_another,
)

#: Where a task with a class of its own may stand, and what comes of it.
SENT = {
    "alone": (lambda: bill.s(1), "1:acme"),
    "step": (lambda: chain(plus.s(1), bill.s()), "2:acme"),
    "first step": (lambda: chain(bill.s(1), bill.s()), "1:acme:acme"),
    "member": (lambda: group(bill.s(1), plus.s(1)), ["1:acme", 2]),
    "header and body": (lambda: chord([bill.s(1), plus.s(1)], bill.s()), "['1:acme', 2]:acme"),
    "body alone": (lambda: chord([plus.s(1)], bill.s()), "[2]:acme"),
    "group after a step": (lambda: chain(plus.s(1), group(bill.s(), bill.s())), ["2:acme"] * 2),
    "group for a body": (lambda: chord([plus.s(1)], group(bill.s(), plus.si(1))), ["[2]:acme", 2]),
    "immutable": (lambda: chain(plus.s(1), bill.si(5)), "5:acme"),
    "empty header": (lambda: chord([], bill.s()), "[]:acme"),
    "retried": (lambda: bill_again.s(1), "1:acme"),
    "keyword": (lambda: chain(charge.s(1), charge.s()), "1:acme:acme"),
    "in a header's chain": (lambda: chord([chain(plus.s(1), charge.s())], bill.s()),
                            "['2:acme']:acme"),
    "options": (lambda: chain(plus.s(1), limited.s()), ["limited", 3, 30]),
    "options of a body": (lambda: chord([plus.s(1)], limited.s()), ["limited", 3, 30]),
    "given options": (lambda: group(limited.s().set(queue="mine"), plus.s(1)),
                      [["mine", 3, 30], 2]),
    "given headers": (lambda: chain(plus.s(1), bill.s().set(headers={"tenant": "other"})),
                      "2:other"),
    "handed on": (lambda: chain(bill.s(1).set(headers={"tenant": "other"}), bill.s()),
                  "1:other:other"),
    "handed on by a header": (
        lambda: chord([bill.s(1).set(headers={"tenant": "other"})], bill.s()),
        "['1:other']:other",
    ),
}  # fmt: skip

#: Where a task may stand whose class sends something besides.
BESIDE = {
    "alone": lambda path: announced.s(1, path=path),
    "first step": lambda path: chain(announced.s(1, path=path), plus.s(1)),
    "step": lambda path: chain(plus.s(0), announced.s(path=path)),
    "members": lambda path: group(announced.s(1, path=path), announced.s(1, path=path)),
    "header": lambda path: chord([announced.s(1, path=path), plus.s(1)], total.s()),
    "body": lambda path: chord([plus.s(1)], announced.si(1, path=path)),
    "empty header": lambda path: chord([], announced.si(1, path=path)),
    "group in a header's chain": lambda path: chord(
        [group(announced.s(1, path=path), plus.s(1)) | same.s(), announced.s(1, path=path)],
        same.s(),
    ),
}
TWICE = {"members", "group in a header's chain"}

#: What ``look`` does to ``chain(look.s(1, how), plus.s(10), plus.s(20))``; None: waits for ever.
CHAINS = {
    "slice": 21,
    "pop": 21,
    "pop in place": 21,
    "append": 131,
    "append in place": 131,
    "insert": 31,
    "none": None,
    "clear": None,
    "new": None,
    "edit": 71,
}

ERRORS = {
    "timeout": CeleryTimeoutError,
    "builtin timeout": TimeoutError,
    "generator": GeneratorExit,
    "base": Beyond,
    "keyboard": WorkerLostError,
    "odd": UnpickleableExceptionWrapper,
    "reject": Reject,
    "lost": WorkerLostError,
}


class Meaning:
    """What every engine does alike."""

    @pytest.mark.parametrize("where", SENT)
    def test_the_class_of_a_task_is_asked_how_it_is_sent(self, on_engine, where):
        canvas, value = SENT[where]
        assert on_engine(canvas()).get() == value

    def test_the_class_of_callbacks_and_errbacks_is_asked(self, on_engine, path):
        on_engine(plus.s(1).set(link=[bill_note.s(path=path), bill_note.s(path=path)]))
        on_engine(boom.s().on_error(bill_errback.s(path=path)))
        on_engine(chord([boom.s()], plus.s(1).on_error(bill_errback.s(path=path))))
        assert lines(path) == ["callback acme"] * 2 + ["errback acme"] * 2

    def test_a_class_need_not_send_its_task(self, on_engine, path):
        after = noted.s(path=path)
        assert on_engine(chain(plus.s(-1), dropped.s(), after)).state == "PENDING"
        assert on_engine(chain(dropped.s(1), after)).get() == 1
        assert on_engine(group(dropped.s(0), after.clone((2,)))).state == "PENDING"
        assert lines(path) == ["ran 1", "ran 2"]

    def test_a_class_may_change_what_its_task_is_called_with(self, on_engine, path):
        assert on_engine(chain(plus.s(1), doubled.s(path), plus.s(1))).get() == 5
        assert lines(path) == ["sent 2"]

    @pytest.mark.parametrize("where", BESIDE)
    def test_what_a_class_sends_besides_runs_where_the_canvas_does(self, on_engine, where, path):
        on_engine(BESIDE[where](path))
        each = ["ran before 1", "ran before 1", "sent 1"]
        assert sorted(lines(path)) == sorted(each * (2 if where in TWICE else 1))

    def test_what_a_class_sends_besides_runs_though_it_does_not_send_its_task(
        self, on_engine, path
    ):
        assert on_engine(group(announced.s(0, path=path), plus.s(1))).state == "PENDING"
        assert lines(path) == ["ran before 0", "ran before 0"]

    def test_a_class_may_send_its_task_more_than_once(self, on_engine, path):
        assert on_engine(again.s(1, path=path)).get() == 1
        assert on_engine(chain(plus.s(0), again.s(path=path), plus.s(1))).get() == 2
        assert sorted(lines(path)) == ["ran 1", "ran 1", "ran 11", "ran 11"]

    @pytest.mark.parametrize("how", CHAINS)
    def test_a_task_changes_what_follows_it(self, on_engine, how):
        outcome = on_engine(chain(look.s(1, how), plus.s(10), plus.s(20)))
        assert (outcome.state, outcome.value) == (
            ("PENDING", None) if CHAINS[how] is None else ("SUCCESS", CHAINS[how])
        )

    def test_what_follows_may_be_changed_anywhere(self, on_engine):
        header = [chain(look.s(1, "pop"), plus.s(10), plus.s(20)), plus.s(4)]
        assert on_engine(chord(header, total.s())).get() == 26
        ends_in_group = chain(look.s(1, "append"), group(plus.s(10), plus.s(20)))
        assert on_engine(ends_in_group).get() == [111, 121]
        before_chord = chain(look.s(1, "pop"), group(plus.s(10), plus.s(20)), total.s(), plus.s(1))
        assert on_engine(before_chord).get() == 2
        body = chain(chord([plus.s(1)], chain(total.s(), look.s("pop"), plus.s(5), plus.s(7))))
        assert on_engine(body).get() == 9
        assert on_engine(chain(look_and_retry.s(1), plus.s(10), plus.s(20))).get() == 21
        assert on_engine(chain(look_and_replace.s(1), plus.s(10), plus.s(20))).get() == 21

    def test_all_that_follows_is_seen_that_is_not_far_ahead(self, on_engine):
        assert on_engine(chain(steps.s(0), plus.s([]))).get() == ["plus"]
        wide = chain(steps.s(0), plus.s([]), group([plus.s([])] * 40))
        assert on_engine(wide).get() == [["far_ahead", "plus"]] * 40

    def test_what_follows_a_lone_task_is_run(self, on_engine, path):
        assert on_engine(look.s(1, "note", path)).get() == 1
        assert lines(path) == ["ran 1"]

    def test_a_retry_that_raises_nothing_runs(self, on_engine, path):
        outcome = on_engine(chain(retries_quietly.s(path), noted.s(path=path)))
        assert outcome.get() == "value"
        assert lines(path) == ["attempt 0", "attempt 1", "ran value", "ran value"]

    def test_each_attempt_that_is_left_behind_has_all_that_follows(self, on_engine, path):
        after = (retries_quietly.si(path), noted.s(path=path))
        assert on_engine(chain(retries_quietly.s(path), *after)).get() == "value"
        counted = Counter(lines(path))
        assert counted == {"attempt 0": 3, "attempt 1": 3, "ran value": 4}

    def test_attempts_at_one_task_side_by_side_are_told_apart(self, on_engine, path):
        after = (looks_again.s(path), noted.s(path=path))
        several = group(chain(retries_quietly.s(path), *after) for _ in range(4))
        assert on_engine(several).get() == ["value"] * 4
        counted = Counter(lines(path))
        once = dict.fromkeys(["attempt 0", "attempt 1"], 4)
        assert counted == once | dict.fromkeys(["ran value", "look 0", "look 1", "look 2"], 8)

    def test_a_retry_has_the_options_that_it_is_given(self, on_engine):
        given = {"queue": "other", "priority": 7, "time_limit": 50, "soft_time_limit": 40}
        given |= {"shadow": "another", "headers": {"x": "y"}, "expires": 600, "ignore_result": True}
        assert on_engine(chain(retries_as.s(given), same.s())).get() == {
            "queue": "other", "priority": 7, "timelimit": [50, 40], "shadow": "another",
            "x": "y", "expires": True, "ignore_result": True,
        }  # fmt: skip

    def test_a_retry_may_be_given_other_callbacks_and_errbacks(self, on_engine, path):
        own = {"link": noted.si("own", path=path), "link_error": told.s(path=path)}
        for given in (noted.si("other", path=path), [noted.si("other", path=path)], None):
            canvas = retries_as.s({"link": given}).set(**own)
            assert on_engine(chain(canvas, same.s())).get()["queue"] == "celery"
        assert sorted(lines(path)) == ["ran other", "ran other"]
        canvas = retries_as.s({"link_error": told.si(1, 2, 3, path=path)}, fails=True).set(**own)
        assert repr(on_engine(canvas).error) == "ValueError('twice')"
        assert lines(path)[2:] == ["told 2"]

    def test_a_retry_that_would_not_be_sent_as_json_fails_the_task(self, on_engine):
        outcome = on_engine(chain(retries_as.s({"serializer": "pickle"}), same.s()))
        assert isinstance(outcome.error, Reject)
        assert "serializer=pickle: everything is carried as JSON" in str(outcome.error)

    def test_a_lone_task_without_a_result_gives_none_at_once(self, on_engine):
        assert on_engine(silent.s(1)).get() is None
        assert on_engine(plus.s(1), ignore_result=True).get() is None

    def test_errors_are_stored_even_if_results_are_ignored(self, on_engine):
        outcome = on_engine(chain(plus.s(1), silent_but_for_errors.s()))
        assert repr(outcome.error) == "ValueError('told')"

    @pytest.mark.parametrize("how", ERRORS)
    def test_an_error_of_any_kind_fails_its_task_alone(self, on_engine, how, path):
        outcome = on_engine(chain(fails.s(how), plus.s(1)).on_error(told.s(path=path)))
        assert type(outcome.error) is ERRORS[how]
        assert lines(path) == [f"told {outcome.error!r}"]

    def test_an_error_that_is_no_exception_fails_a_chord(self, on_engine, path):
        outcome = on_engine(
            chord([fails.s("base"), plus.s(1)], total.s().on_error(told.s(path=path)))
        )
        assert repr(outcome.error) == "Beyond('b')"
        assert "raised Beyond('b')" in lines(path)[0]

    def test_cancelled_errors_are_the_tasks(self, on_engine):
        outcome = on_engine(fails.s("cancelled"))
        assert (type(outcome.error).__name__, outcome.error.args) == ("CancelledError", ("gone",))

    def test_an_error_that_cannot_be_made_again_is_named_as_celery_does(self, on_engine, path):
        on_engine(chord([fails.s("odd"), plus.s(1)], total.s().on_error(told.s(path=path))))
        (line,) = lines(path)
        assert "raised UnpickleableExceptionWrapper('tests.engines.odd', 'OddError'" in (
            line.replace("\\", "")
        )

    def test_an_error_that_cannot_say_what_it_is(self, on_engine, path):
        outcome = on_engine(fails.s("speechless"))
        assert type(outcome.error).__name__ == "SpeechlessError"
        on_engine(chord([fails.s("speechless")], total.s().on_error(told.s(path=path))))
        assert lines(path) == ["""told ChordError("Join error: RuntimeError('no text')")"""]

    def test_rejected_tasks_fail_unless_they_are_requeued(self, on_engine):
        assert on_engine(requeued_once.s()).get() == [0, "again"]
        assert on_engine(requeued_early.s()).state == "PENDING"
        failed = on_engine(chord([fails.s("reject")], total.s()))
        assert isinstance(failed.error, Reject)

    def test_an_errback_that_does_not_fit_is_the_tasks_error(self, on_engine, path):
        canvas = boom.s().on_error(write.si("other", path=path)).on_error(alarm.s())
        assert isinstance(on_engine(canvas).error, TypeError)
        assert lines(path) == ["other"]

    def test_a_task_that_raises_worker_lost_itself_has_errbacks_called_once(self, on_engine, path):
        assert isinstance(
            on_engine(fails.s("lost").on_error(told.s(path=path))).error, WorkerLostError
        )
        assert lines(path) == ["told WorkerLostError('mine')"]

    def test_errbacks_of_the_call_are_those_of_a_chord_for_a_body(self, on_engine, path):
        body = chord([plus.s()], total.s())
        errback = told.s(path=path)
        on_engine(chord([boom.s(), plus.s(1)], body), link_error=errback)
        assert len(lines(path)) == 1
        assert "raised ValueError" in lines(path)[0]
        # Where Celery does not call it, as the outer chord never hears of it.
        of_chords = chord([chord([boom.s(), plus.s(1)], total.s()), plus.s(1)], total.s())
        on_engine(of_chords, link_error=[errback])
        assert len(lines(path)) == 2

    def test_stamps_keep_their_order(self, on_engine):
        canvas = stamps.s()
        canvas.stamp(b=1, a=2)
        names, values = on_engine(canvas).get()
        assert (names, list(values)) == (["b", "a"], ["b", "a"])
        for canvas in (
            chain(plus.s(1), stamps.s()),
            group(plus.s(1), stamps.s()),
            chord([plus.s(1), stamps.s()], same.s()),
            chain(plus.s(1), group(plus.s(1), stamps.s())),
        ):
            canvas.stamp(b=1, a=2)
            value = on_engine(canvas).get()
            names, values = value if isinstance(value[0], list) else value[1]
            assert (names, list(values)) == (["b", "a"], ["b", "a"])

    def test_a_task_revokes_by_stamped_headers(self, on_engine, path):
        later = noted.si(1, path=path)
        later.stamp(batch="b1")
        outcome = on_engine(chain(revokes_stamped.si({"batch": ["b1", "b2"]}), plus.si(1), later))
        assert isinstance(outcome.error, TaskRevokedError)
        assert not Path(path).exists()

    def test_the_class_of_a_body_revokes_when_it_is_asked(self, on_engine, path):
        later = noted.si(1, path=path).set(task_id=VICTIM)
        outcome = on_engine(chain(chord([plus.s(1)], revoking.si(1)), plus.si(1), later))
        assert isinstance(outcome.error, TaskRevokedError)
        assert not Path(path).exists()

    def test_a_rate_limit_spreads_tasks_out(self, on_engine):
        before = time.time()
        begun = on_engine(group(rated.s() for _ in range(13))).get()
        assert max(begun) >= before + 2.9  # 240 a minute; two clocks

    def test_a_task_that_changes_limits_is_told_that_it_cannot(self, on_engine):
        for command in ("rate_limit", "time_limit"):
            outcome = on_engine(chain(plus.s(1), limits.si(command)))
            assert "reaches no worker but Celery's" in str(outcome.error)

    def test_a_moment_is_waited_for_alone_and_in_a_canvas(self, on_engine):
        moment = datetime.now(UTC) + timedelta(seconds=1)
        assert on_engine(shown.s(), eta=moment).get()["eta"] is not None
        (member,) = on_engine(group(shown.s().set(eta=moment))).get()
        assert datetime.fromisoformat(member["eta"]) == moment

    def test_limits_and_names_given_with_a_task_reach_it(self, on_engine):
        given = {"time_limit": 50, "soft_time_limit": 40, "shadow": "other", "serializer": "json"}
        expected = {"timelimit": [50, 40], "shadow": "other"}
        alone = on_engine(shown.s(), **given).get()
        assert {name: alone[name] for name in expected} == expected
        _, member = on_engine(group(plus.s(1), shown.s().set(**given))).get()
        assert {name: member[name] for name in expected} == expected

    def test_result_get_in_a_task_is_refused(self, on_engine):
        for canvas in (waits_for_another.s(), chain(plus.s(1), waits_for_another.s())):
            assert "Never call result.get() within a task!" in str(on_engine(canvas).error)

    def test_no_message_is_published(self, on_engine, path):
        published = []

        def note(sender, **_given):
            published.append(sender)

        before_task_publish.connect(note)
        try:
            on_engine(plus.s(1))
            on_engine(chord([plus.s(1)], total.s()))
        finally:
            before_task_publish.disconnect(note)
        assert published == []

    def test_values_of_the_serializer_come_back(self, on_engine):
        values = {"day": date(2026, 11, 29), "price": Decimal("1.50"), "raw": b"\x00", "1": [2, 3]}
        assert on_engine(same.s({**values, "1": (2, 3)})).get() == values
        assert on_engine(chain(same.s(values), same.s())).get() == values
        assert on_engine(chord([same.s(values), same.s(1)], same.s())).get() == [values, 1]

    def test_a_result_that_the_serializer_refuses_fails_the_task(self, on_engine):
        assert isinstance(on_engine(unheard_of.s()).error, EncodeError)
        assert isinstance(on_engine(chain(unheard_of.s(), plus.s(1))).error, EncodeError)
