from tests.audit.helpers import audit, lines

TASKS = """
from celery import chain, group, maybe_signature, shared_task, signature
import yaml

@shared_task
def step(x): ...
"""


def test_built_from_data() -> None:
    found = audit(
        "CEL408",
        TASKS
        + """
def run(path, callback, parallel):
    (group if parallel else chain)([step.s(1)]).delay()
    signature(yaml.safe_load(path)).delay()
    maybe_signature(callback)
""",
    )
    assert lines(found) == [9, 10, 11]


def test_changed_while_it_runs() -> None:
    found = audit(
        "CEL408",
        TASKS
        + """
@shared_task(bind=True)
def stop(self, x):
    self.request.chain = None
    self.request.chain = None
    self.add_to_chord(step.s(2))

def run():
    work = step.s(1)
    work.kwargs["y"] = 2
    work["options"] = {}
    work.kwargs.update(z=3)
    many = group([work])
    many.tasks.append(step.s(2))
    many.tasks += [step.s(3)]
""",
    )
    assert lines(found) == [10, 12, 16, 17, 18, 20, 21]


def test_what_is_written_out() -> None:
    assert not audit(
        "CEL408",
        TASKS
        + """
def run(response, request, name):
    chain(step.s(1), step.s()).delay()
    signature("tasks.step", args=(1,)).delay()
    signature(step.name, args=(1,)).delay()
    maybe_signature(step.s(1))
    step.s(1).set(queue="a")
    response.kwargs["a"] = 1
    request.chain = None
    request.options.update(a=1)
""",
    )
