"""What a caller holds of a rerouted group, on a real Redis."""

import pickle

import celery.result
import pytest
from celery import Celery, chord, group, states

from offcanvas.celery_app.freezing import prepare

MEMBERS = 5


@pytest.fixture
def shop(redis_url):
    app = Celery("shop", broker="memory://", backend=redis_url)

    @app.task(name="shop.double", shared=False)
    def double(number):
        return 2 * number

    @app.task(name="shop.total", shared=False)
    def total(numbers):
        return sum(numbers)

    yield app
    app.backend.result_consumer.stop()
    app.close()


def body_of(app):
    """The result of a chord, as its caller gets it."""
    double, total = app.tasks["shop.double"], app.tasks["shop.total"]
    return prepare(app, chord([double.s(n) for n in range(MEMBERS)], total.s())).result


def members_of(app):
    double = app.tasks["shop.double"]
    return prepare(app, group(double.s(n) for n in range(MEMBERS))).result


def store(results, state=states.SUCCESS):
    for number, result in enumerate(results):
        value = 2 * number if state == states.SUCCESS else ValueError(f"no {number}")
        result.backend.store_result(result.id, value, state)


def asked(app, monkeypatch):
    """Keys of each request for results from here on."""
    requests = []
    for name in ("get", "mget"):
        real = getattr(app.backend.client, name)

        def counted(keys, *more, real=real, **options):
            requests.append(keys)
            return real(keys, *more, **options)

        monkeypatch.setattr(app.backend.client, name, counted)
    return requests


def test_the_header_of_a_chord_is_not_subscribed_to(shop):
    body = body_of(shop)
    store(body.parent)
    shop.backend.store_result(body.id, 20, states.SUCCESS)
    assert body.get(timeout=10) == 20
    assert not shop.backend.result_consumer.subscribed_to


def test_all_members_are_asked_for_in_one_request(shop, monkeypatch):
    body = body_of(shop)
    requests = asked(shop, monkeypatch)
    body.parent.maybe_throw()
    assert [len(keys) for keys in requests] == [MEMBERS]


def test_members_that_have_ended_are_not_asked_for_again(shop, monkeypatch):
    body = body_of(shop)
    store(body.parent[:3])
    body.parent.maybe_throw()
    requests = asked(shop, monkeypatch)
    body.parent.maybe_throw()
    assert [len(keys) for keys in requests] == [MEMBERS - 3]


def test_the_error_is_that_of_the_first_member(shop):
    body = body_of(shop)
    store(body.parent, states.FAILURE)
    shop.backend.store_result(body.id, RuntimeError("the body"), states.FAILURE)
    with pytest.raises(ValueError, match="no 0"):
        body.get(timeout=10)


def test_a_group_that_is_waited_for_hears_of_what_ends_later(shop):
    results = members_of(shop)
    store(results[:2])
    heard = []
    results.then(lambda _: heard.append(True))
    assert not heard
    store(results)
    assert results.get(timeout=10) == [0, 2, 4, 6, 8]
    assert heard == [True]


def test_a_group_that_had_ended_before_anybody_asked(shop):
    results = members_of(shop)
    store(results)
    heard = []
    results.then(lambda _: heard.append(True))
    assert heard == [True]
    assert results.get(timeout=10) == [0, 2, 4, 6, 8]


def test_one_member_more(shop):
    results, more = members_of(shop), members_of(shop)[0]
    results.add(more)
    store([*results])
    assert results.get(timeout=10) == [0, 2, 4, 6, 8, 10]


def test_a_callback_sees_every_member(shop):
    results = members_of(shop)
    store(results)
    seen = []
    results.maybe_throw(callback=lambda _, value: seen.append(value))
    assert seen == [0, 2, 4, 6, 8]


def test_another_process_gets_celerys_own(shop):
    results = members_of(shop)
    shop.set_current()
    again = pickle.loads(pickle.dumps(results))  # noqa: S301  # made here
    assert type(again) is celery.result.GroupResult
    assert (again, again.id) == (results, results.id)


def test_a_backend_that_takes_one_question_at_a_time(tmp_path):
    app = Celery("shop", broker="memory://", backend=f"db+sqlite:///{tmp_path}/results.db")

    @app.task(name="shop.double", shared=False)
    def double(number):
        return 2 * number

    results = prepare(app, group(double.s(n) for n in range(2))).result
    store(results, states.FAILURE)
    with pytest.raises(ValueError, match="no 0"):
        results.maybe_throw()
