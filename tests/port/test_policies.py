"""Limits and attempts: what Celery was told, in Temporal's words, or a refusal."""

import re
from pathlib import Path

import pytest

from tests.port.project import Folder

HEAD = """
from contextlib import suppress

from celery import Celery, chain
from celery.exceptions import Retry

app = Celery("stall", broker="memory://")
LIMIT = 30

class Busy(Exception):
    pass

@app.task
def last(x: int) -> int:
    return x

def both(x: int):
    return chain(one.s(x), last.s())
"""


def _port(folder: Path, task: str) -> tuple[int, str, str, str]:
    """The exit code, the policy of the task in one line, the activity, and what was said."""
    user = Folder(folder)
    user.write("stall.py", f"{HEAD}\n\n{task}")
    ended = user.port("stall:both", "--to", "temporal", "--out", "out")
    if ended.code == 2:
        return ended.code, "", "", ended.err
    policies = " ".join((folder / "out/policies.py").read_text().split())
    found = re.search(r"\bONE = ActivityConfig\((.*?)\)(?= #| [A-Z]+ =|$)", policies)
    activities = (folder / "out/activities.py").read_text()
    return ended.code, found[1] if found else "ONCE", activities, ended.out


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", "ONCE"),
        # Without a reason to retry, max_retries alone retries nothing.
        ("max_retries=5", "ONCE"),
        ("autoretry_for=(Busy,), max_retries=5", "maximum_attempts=6"),
        ("autoretry_for=(Busy,)", "maximum_attempts=4"),
        ("autoretry_for=(Busy,)", "initial_interval=timedelta(seconds=180)"),
        ("autoretry_for=(Busy,)", "backoff_coefficient=1"),
        ("autoretry_for=(Busy,), retry_kwargs={'max_retries': 7}", "maximum_attempts=8"),
        ("autoretry_for=(Busy,), default_retry_delay=5", "initial_interval=timedelta(seconds=5)"),
        ("autoretry_for=(Busy,), retry_backoff=True", "initial_interval=timedelta(seconds=1)"),
        (
            "autoretry_for=(Busy,), retry_backoff=10, retry_backoff_max=60, max_retries=9",
            "maximum_interval=timedelta(seconds=60)",
        ),
        # The step's process ends after 30; the server's limit is for a worker that is lost.
        ("time_limit=LIMIT", "start_to_close_timeout=timedelta(seconds=60)"),
        ("acks_late=True", "heartbeat_timeout=timedelta(seconds=30)"),
        ("expires=60", "schedule_to_start_timeout=timedelta(seconds=60)"),
        ("queue='big'", "task_queue="),
    ],
)
def test_options_of_the_decorator(tmp_path: Path, options: str, wanted: str) -> None:
    task = f"@app.task({options})\ndef one(x: int) -> int:\n    return x\n"
    code, policy, _, said = _port(tmp_path, task)
    assert code == 1, said
    assert wanted in policy


def test_no_limit_of_retries_is_no_limit(tmp_path: Path) -> None:
    options = "autoretry_for=(Busy,), max_retries=None"
    task = f"@app.task({options})\ndef one(x: int) -> int:\n    return x\n"
    code, policy, activities, said = _port(tmp_path, task)
    assert code == 1
    assert "maximum_attempts" not in policy
    assert "PORT118" in said
    assert "@retried_on(work.Busy)" in activities


@pytest.mark.parametrize(
    "options", ["**OPTIONS", "max_retries=settings.N, autoretry_for=(Busy,)", "time_limit=later()"]
)
def test_options_that_cannot_be_read_are_refused(tmp_path: Path, options: str) -> None:
    task = f"@app.task({options})\ndef one(x: int) -> int:\n    return x\n"
    code, _, _, said = _port(tmp_path, task)
    assert code == 2
    assert "PORT304" in said
    assert "-A" in said
    assert not (tmp_path / "out").exists()


def test_a_retry_by_hand_keeps_what_its_handler_does(tmp_path: Path) -> None:
    task = """
@app.task(bind=True, max_retries=2)
def one(self, x: int) -> int:
    try:
        return 1 // x
    except ZeroDivisionError as error:
        print("at every attempt")  # kept
        raise self.retry(exc=error, countdown=3)
"""
    code, policy, activities, said = _port(tmp_path, task)
    assert code == 1, said
    assert "maximum_attempts=3" in policy
    assert "initial_interval=timedelta(seconds=3), backoff_coefficient=1" in policy
    assert "@retried_on(ZeroDivisionError)" in activities
    work = (tmp_path / "work.py").read_text()
    assert 'print("at every attempt")  # kept\n        raise\n' in work
    celery = (tmp_path / "stall.py").read_text()
    assert "return work.one(x)" in celery
    assert "raise self.retry(exc=error, countdown=3)" in celery


def test_a_retry_that_a_handler_passes_on_is_ported(tmp_path: Path) -> None:
    task = """
@app.task(bind=True, max_retries=2)
def one(self, x: int) -> int:
    try:
        if not x:
            raise self.retry(countdown=3)
    except Exception as error:
        print(error)
        raise
    return x
"""
    code, _, _, said = _port(tmp_path, task)
    assert code == 1
    assert "PORT211" not in said
    assert "raise TryAgain" in (tmp_path / "work.py").read_text()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    raise self.retry(queue='elsewhere')", "PORT211"),
        ("    raise self.retry(*x)", "PORT211"),
        (
            "    try:\n        raise self.retry()\n    except Exception:\n        return x",
            "PORT211",
        ),
        (
            "    try:\n        self.retry()\n    except (OSError, Retry):\n        raise OSError",
            "PORT211",
        ),
        ("    with suppress(Exception):\n        raise self.retry(countdown=3)", "PORT211"),
        ("    raise self.retry(args=(x + self.request.delivery_info,))", "PORT212"),
        ("    return self.backend.get(x)", "PORT212"),
        ("    last.apply_async((x,), countdown=3)\n    return x", "PORT213"),
        ("    return app.conf.broker_url", "PORT218"),
    ],
)
def test_a_body_that_cannot_move_is_code_that_raises(tmp_path: Path, body: str, code: str) -> None:
    task = f"@app.task(bind=True)\ndef one(self, x: int) -> int:\n{body}\n"
    exit_code, _, activities, said = _port(tmp_path, task)
    assert exit_code == 1
    assert f"{code} todo" in said
    assert f"# TODO({code})" in activities
    assert "raise ApplicationError(" in activities
    assert body in (tmp_path / "stall.py").read_text()


OWN = """
@app.task(bind=True, autoretry_for=(KeyError,), retry_backoff=2, max_retries=5)
def one(self, x: int) -> int:
    try:
        check(self, x)
    except Busy as error:
        raise self.retry(exc=error, countdown=int(str(error)), max_retries=2)
    return x

def check(task, x: int) -> None:
    if x < 0:
        task.request.chain = None
    if x > 9:
        raise task.retry()
"""


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_several_ways_to_ask_for_another_attempt(tmp_path: Path, engine: str) -> None:
    user = Folder(tmp_path)
    user.write("stall.py", f"{HEAD}\n\n{OWN}")
    ended = user.port("stall:both", "--to", engine, "--out", "out")
    assert ended.code == 1
    assert "todo" not in ended.out
    steps = (tmp_path / f"out/{'activities' if engine == 'temporal' else 'tasks'}.py").read_text()
    asked = "@asked_again(work.TryAgainLater, limit=5, wait=180, on=(KeyError,)"
    assert asked in " ".join(steps.split()).replace("( ", "(")
    work = (tmp_path / "work.py").read_text()
    assert "raise attempt.again(error, after=int(str(error)), limit=2)" in work
    assert "check(attempt, x)" in work
    assert "attempt.ends_chain = True" in work
    celery = (tmp_path / "stall.py").read_text()
    assert "exc=again.error, countdown=again.after, max_retries=again.limit" in celery
    tried = """
import work
seen = []
for retries, x in [(0, 1), (2, 10), (5, 10), (0, -1)]:
    attempt = work.Attempt(retries, 5)
    try:
        work.one(x, attempt=attempt)
        seen.append(attempt.ends_chain)
    except Exception as error:
        seen.append((type(error).__name__, getattr(error, "after", None)))
print(seen)
"""
    ran = user.run("-c", tried)
    assert ran.out.strip() == str(
        [False, ("TryAgainLater", None), ("MaxRetriesExceeded", None), True]
    )
    again = user.port("stall:both", "--to", engine, "--out", "out")
    assert again.code == 1, again.err
    assert (tmp_path / "work.py").read_text() == work


RENEWING = """
@app.task(bind=True, max_retries=3)
def NAME(self, x: int, step: int = 1, *, loud: bool = False) -> int:
    new = (x + step,)
    more = {"step": 2}
    try:
        if x < 0:
            raise Busy(x)
    except Busy as error:
        RETRY
    return x
"""
#: What is written, what the body says instead, and what Celery's task hands on.
OTHERS = [
    ("raise self.retry(args=(x + 1,), exc=error)", "error, args=(x + 1,)", "args"),
    ("self.retry(args=[x + 1], exc=error)", "error, args=[x + 1]", "args"),
    ("raise self.retry(new, countdown=3)", "after=3, args=new", "args"),
    ("return self.retry(new, more)", "args=new, kwargs=more", "args kwargs"),
    ("raise self.retry((x,), None, error, countdown=9)", "error, after=9, args=(x,)", "args"),
    ("raise self.retry(kwargs=more, max_retries=9)", "limit=9, kwargs=more", "kwargs"),
    ("raise self.retry(args=self.request.args, kwargs=more)", "kwargs=more", "kwargs"),
    ("raise self.retry((self.request.retries,))", "args=(attempt.retries,)", "args"),
]


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_attempts_with_other_arguments(tmp_path: Path, engine: str) -> None:
    names = [f"one_{number}" for number in range(len(OTHERS))]
    tasks = [
        RENEWING.replace("NAME", name).replace("RETRY", retry)
        for name, (retry, _, _) in zip(names, OTHERS, strict=True)
    ]
    steps = ", ".join(
        f"{name}.s(2)" if number else f"{name}.s(x, 2)" for number, name in enumerate(names)
    )
    user = Folder(tmp_path)
    builder = f"def every(x: int):\n    return chain({steps})\n"
    user.write("stall.py", "\n\n".join([HEAD.partition("@app")[0], *tasks, builder]))
    ended = user.port("stall:every", "--to", engine, "--out", "out")
    assert ended.code == 1, ended.err
    assert "todo" not in ended.out
    assert ended.out.count("PORT151 decide") == len(OTHERS)
    file = tmp_path / f"out/{'activities' if engine == 'temporal' else 'tasks'}.py"
    emitted = file.read_text()
    assert emitted.count("@asked_again(work.TryAgainLater, limit=3, wait=180)") == len(OTHERS)
    assert re.search(r"as_asked\(\[(given\.)?x, (given\.)?step\], \{\}\)", emitted)
    work = (tmp_path / "work.py").read_text()
    stays = (tmp_path / "stall.py").read_text()
    calls = stays.split("raise self.retry(")[1:]
    for name, (_, said, handed), call in zip(names, OTHERS, calls, strict=True):
        assert f"raise attempt.again({said})" in work
        assert f"work.{name}(*by_place, **by_name, attempt=attempt)" in emitted
        every = [f"{word}=again.{word}_again" for word in handed.split()]
        assert call.split("exc=")[0].strip() == "".join(f"{one}, " for one in every).strip()
    again = user.port("stall:every", "--to", engine, "--out", "out")
    assert again.code == 1, again.err
    assert (tmp_path / "stall.py").read_text() == stays
    tried = """
import work
for args, kwargs in [((2,), None), (None, {"step": 2}), ((2,), {"step": 2}), (None, None)]:
    told = work.Attempt(1, 3, given=([1], {"loud": True})).again(args=args, kwargs=kwargs)
    print(told.args_again, told.kwargs_again)
    told = work.Attempt(1, 3).again(args=args, kwargs=kwargs)
    assert (told.args_again, told.kwargs_again) == (args, kwargs)
"""
    assert user.run("-c", tried).out.splitlines() == [
        "(2,) {'loud': True}", "[1] {'step': 2}", "(2,) {'step': 2}", "None None",
    ]  # fmt: skip


def test_other_arguments_that_no_port_can_say(tmp_path: Path) -> None:
    tasks = [
        RENEWING.replace("NAME", name).replace("RETRY", f"raise self.retry({retry})")
        for name, retry in [
            ("by_name", "args=(x + 1,)"),
            ("by_place", "kwargs={'loud': True}"),
            ("either", "args=(x,)"),
            ("dated", "args=(x,), kwargs={}"),
        ]
    ]
    tasks[2] = tasks[2].replace("    return x\n", "    raise self.retry(kwargs={})\n")
    tasks[3] = tasks[3].replace("int = 1", "datetime | None = None")
    steps = (
        "by_name.s(x), by_name.s(loud=True), by_place.s(), by_place.s(2), either.s(), either.s(2)"
    )
    builder = f"def many(x: int):\n    return chain({steps}, dated.s())\n"
    user = Folder(tmp_path)
    head = HEAD.partition("@app")[0]
    user.write("stall.py", "\n\n".join(["from datetime import datetime", head, *tasks, builder]))
    for more in ([], ["--bodies", "call"]):
        ended = user.port("stall:many", "--to", "temporal", "--out", f"out{len(more)}", *more)
        assert ended.code == 1, ended.err
        steps_ = (tmp_path / f"out{len(more)}/activities.py").read_text()
        assert steps_.count("# TODO(PORT211)") == 4
        if more:
            assert ended.out.count("with other arguments in a body that is called") == 4
            continue
        for name, why in [
            ("by_name", "self.retry(args=...) keeps what is sent by name"),
            ("by_place", "self.retry(kwargs=...) keeps what is sent by position"),
            ("either", "self.retry(kwargs=...) keeps what is sent by position"),
            ("dated", "self.retry with other arguments, and 'step' is not plain JSON"),
        ]:
            assert f"PORT211 todo: stall.{name}: {why}" in ended.out
        # A later run knows from Celery's side what an earlier one has moved.
        again = user.port("stall:many", "--to", "temporal", "--out", "out0")
        assert again.out.count("PORT211 todo") == ended.out.count("PORT211 todo")


def test_what_a_body_sends_is_handed_in(tmp_path: Path) -> None:
    task = """
@app.task
def one(x: int) -> int:
    last.delay(x)
    tell(x)
    return x

def tell(x: int) -> None:
    chain(last.si(x), last.s()).apply_async()
"""
    code, _, activities, said = _port(tmp_path, task)
    assert code == 1
    assert "todo" not in said
    assert "send_last=sends.send_last, send_tell=sends.send_tell" in activities
    work = (tmp_path / "work.py").read_text()
    assert "send_last(x)" in work
    assert "tell(x, send_tell=send_tell)" in work
    tried = """
import work
sent = []
told = lambda what: lambda x: sent.append((what, x))
work.one(3, send_last=told("last"), send_tell=told("tell"))
print(sent)
"""
    assert Folder(tmp_path).run("-c", tried).out.strip() == "[('last', 3), ('tell', 3)]"


@pytest.mark.parametrize("engine", ["temporal", pytest.param("prefect", marks=pytest.mark.long)])
@pytest.mark.parametrize("by", [-1, 1])
def test_an_attempt_too_many_or_too_few_fails_an_emitted_test(
    tmp_path: Path, engine: str, by: int
) -> None:
    user = Folder(tmp_path)
    task = (
        "@app.task(autoretry_for=(Busy,), max_retries=5)\ndef one(x: int) -> int:\n    return x\n"
    )
    user.write("stall.py", f"{HEAD}\n\n{task}")
    assert user.port("stall:both", "--to", engine, "--out", "out").code == 1
    tests = ("-m", "pytest", "-q", "-p", "no:offcanvas", "out/tests/test_attempts.py")
    assert user.run(*tests).code == 0
    file = tmp_path / ("out/policies.py" if engine == "temporal" else "out/tasks.py")
    word, number = ("maximum_attempts", 6) if engine == "temporal" else ("retries", 5)
    before = file.read_text()
    file.write_text(before.replace(f"{word}={number}", f"{word}={number + by}"))
    assert file.read_text() != before
    assert user.run(*tests).code == 1


AGAIN = [
    # What the body sends is handed in by the step of the second run too.
    ("", "last.delay(x)"),
    ("", "last.si(x).delay()\n    last.apply_async((x,), queue='q')"),
    # How often it is tried is known from the body that has moved.
    ("bind=True", "if x:\n        raise self.retry(args=(x + 1,), max_retries=7)"),
    ("bind=True, max_retries=5", "last.delay(x)\n    if x:\n        raise self.retry(args=(x,))"),
    (
        "bind=True",
        "try:\n        again(self, x)\n    except Busy as e:\n        raise self.retry(exc=e)",
    ),
    # What has moved with a body is not imported from itself.
    ("autoretry_for=(Busy,)", "if x:\n        raise Busy(x)"),
    ("autoretry_for=(Busy,), dont_autoretry_for=(Full,)", "if x:\n        raise Full(LIMIT)"),
]
HELPER = """
class Full(Busy):
    pass

def again(task, x):
    if x:
        raise task.retry(countdown=2 ** task.request.retries, max_retries=9)
"""


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_second_run_writes_what_the_first_has_written(tmp_path: Path, engine: str) -> None:
    user = Folder(tmp_path)
    tasks = [
        f"@app.task({options})\ndef one_{number}({'self, ' if 'bind' in options else ''}x: int)"
        f" -> int:\n    {body}\n    return x\n"
        for number, (options, body) in enumerate(AGAIN)
    ]
    steps = ", ".join(f"one_{number}.s()" for number in range(1, len(AGAIN)))
    builder = f"def many(x: int):\n    return chain(one_0.s(x), {steps})\n"
    user.write("stall.py", "\n\n".join([HEAD.partition("def both")[0], HELPER, *tasks, builder]))
    given = ("stall:many", "--to", engine, "--out", "out")
    ended = user.port(*given)
    assert ended.code == 1, ended.err
    assert "todo" not in ended.out

    def texts() -> dict[str, str]:
        return {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.py")}

    first = texts()
    checked = user.port(*given, "--check")
    assert checked.code == 0, checked.out
    assert user.port(*given).code == 1
    assert texts() == first
    # A task that is written later uses what has moved.
    stall = tmp_path / "stall.py"
    late = "@app.task\ndef late(x: int) -> int:\n    raise Full(LIMIT)\n\n\ndef many"
    stall.write_text(stall.read_text().replace("def many", late).replace("one_0.s(x)", "late.s(x)"))
    assert user.port(*given).code == 1
    tried = "import work\ntry:\n    work.late(1)\nexcept work.Busy as error:\n    print(error)"
    assert user.run("-c", tried).out == "30\n"


@pytest.mark.parametrize("given", ["**options", "*options.values()"])
def test_a_retry_whose_arguments_are_not_written_out(tmp_path: Path, given: str) -> None:
    task = f"""
@app.task(bind=True)
def one(self, x: int) -> int:
    options = {{"countdown": x}}
    if x:
        raise self.retry({given})
    return x
"""
    code, _, _, said = _port(tmp_path, task)
    assert code == 1
    assert "PORT211 todo: stall.one: self.retry with arguments" in said
    assert f"self.retry({given})" in (tmp_path / "stall.py").read_text()
    assert "options = " in (tmp_path / "stall.py").read_text()
