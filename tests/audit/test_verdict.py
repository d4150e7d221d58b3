from offcanvas.audit.inventory import Drawn, draw, take_stock
from offcanvas.audit.verdict import Verdict, tables, verdict, verdicts
from offcanvas.engines.features import Feature
from offcanvas.engines.support import differs, lowered, total, unsupported
from tests.audit.helpers import module

TASKS = """
from celery import chain, chord, group, shared_task, signature

@shared_task
def one(x): ...
"""


def drawn(expression: str) -> Drawn:
    return draw(module(f"{TASKS}canvas = {expression}\n").canvases[0])


def test_the_worst_part_decides() -> None:
    table = total(
        {
            Feature.NODE_CHORD: differs("the body runs at once"),
            Feature.NODE_STARMAP: unsupported("write a loop"),
            Feature.NODE_GROUP: lowered("gathered"),
        }
    )
    assert verdict(drawn("one.s(1) | one.s()"), table) == Verdict(
        "same", "every part has the same meaning"
    )
    assert verdict(drawn("group([one.s(1)])"), table).why == "group: gathered"
    assert verdict(drawn("chord([one.s(1)])(one.s())"), table).word == "differs"
    assert verdict(drawn("chain(one.s(1), chord([one.s()], one.starmap([])))"), table) == Verdict(
        "unsupported", "starmap: write a loop"
    )


def test_what_the_source_does_not_tell_is_to_be_decided() -> None:
    assert verdict(drawn("group(anything())"), total({})).word == "decide"


def test_options_of_members_and_of_the_send_count() -> None:
    table = total(
        {
            Feature.OPTION_QUEUE: unsupported("one queue"),
            Feature.OPTION_EXTRA: differs("no broker"),
            Feature.OPTION_LINK_ERROR: unsupported("no errbacks"),
        }
    )
    for canvas in (
        'chain(one.s(1).set(queue="slow"), one.s())',
        'chain(one.signature((1,), queue="slow"), one.s())',
        'chain(one.signature((1,), options={"queue": "slow"}), one.s())',
        'chain(signature("tasks.one", (1,), queue="slow"), one.s())',
        'chain(one.s(1), one.s()).apply_async(queue="slow")',
    ):
        assert verdict(drawn(canvas), table) == Verdict("unsupported", "queue: one queue"), canvas
    assert verdict(drawn('chain(one.s(1), one.s().set(routing_key="a"))'), table).word == "differs"
    assert verdict(drawn('chain(one.s(1), one.s()).apply_async(task_id="a")'), table).word == "same"
    assert verdict(drawn("chord([one.s(1)], one.s().on_error(one.s()))"), table) == Verdict(
        "unsupported", "link_error: no errbacks"
    )
    errback = "chain(one.s(1), one.s()).apply_async(link_error=one.s())"
    assert verdict(drawn(errback), table).word == "unsupported"


def test_what_a_task_does_with_a_canvas_counts() -> None:
    source = """
from celery import chain, shared_task

@shared_task(bind=True)
def one(self, x):
    chain(one.s(1), one.s()).delay()
    self.replace(chain(one.s(1), one.s()))
"""
    started, replaced = take_stock(module(source)).canvases
    assert (started.inside, replaced.inside) == ("canvases started inside", "self.replace")
    table = total({Feature.TASK_STARTS_CANVAS: differs("abandoned")})
    assert verdict(started.canvas, table, started.inside).word == "differs"
    assert verdict(replaced.canvas, table, replaced.inside).word == "same"


def test_every_engine_of_the_kit_judges() -> None:
    source = "from celery import group\ngroup(anything()).delay()\n"
    (place,) = take_stock(module(source)).canvases
    assert verdicts(place).keys() == tables().keys() == {"Prefect", "Temporal"}
