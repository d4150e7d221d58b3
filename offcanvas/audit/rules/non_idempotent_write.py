"""Write in a task that may run twice, and that then writes twice.

Bad:
    from celery import shared_task
    from django.db import models

    class Entry(models.Model):
        order_id = models.IntegerField()

    @shared_task(autoretry_for=(OSError,), retry_backoff=True)
    def book(order_id):
        Entry.objects.create(order_id=order_id)
        notify_shop(order_id)
Good:
    from celery import shared_task
    from django.db import models

    class Entry(models.Model):
        order_id = models.IntegerField(unique=True)

    @shared_task(autoretry_for=(OSError,), retry_backoff=True)
    def book(order_id):
        Entry.objects.get_or_create(order_id=order_id)
        notify_shop(order_id)
Why: A retry runs the task from its start, and a message that is acknowledged late may be delivered
    twice. What is inserted without a key that says "already there", or added to what is stored, is
    then there twice.
Prefect: Retries run the task again in the same way; a cache key can skip what has been done.
Temporal: Activities are at-least-once; the same care is needed.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._models import Query, is_model, query
from offcanvas.audit.rules._repeats import repeats, task_function
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Call, Value

_SAVES: Final = frozenset({"save", "asave"})
_KEYS: Final = frozenset({"pk", "id", "uuid"})
_INSERT: Final = re.compile(r"\s*insert\s+into\b", re.IGNORECASE)
_SAFE: Final = re.compile(
    r"on\s+conflict|on\s+duplicate|insert\s+ignore|not\s+exists", re.IGNORECASE
)
_LOOKS: Final = frozenset({"exists", "get", "filter", "first", "count"})
_UNSURE: Final = "a constraint that is not written here may refuse the second one"


@module_rule("CEL306", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Inserts and increments in the body of a task, with a reason to run again after them."""
    for call in module.walk(ast.Call):
        function = task_function(module, call)
        if function is None or function.task is None:
            continue
        said = _write(module, function, call)
        if said is None:
            yield from _looked_first(module, function, function.task, call)
            continue
        why = repeats(module, function, call)
        if why is None:
            continue
        what, doubt = said
        yield module.remark(
            call,
            f"{what} is done again when {function.task.name} runs twice ({why[0]}); write it under "
            "a unique key (get_or_create, ON CONFLICT) or note that it is done",
            doubt=why[1] or doubt,
        )


def _write(module: Module, function: Function, call: ast.Call) -> tuple[str, str] | None:
    """(what is written, doubt) when a call writes something that counts each time."""
    found = query(module, call) or _new_row(module, call)
    last = found.methods[-1] if found is not None and found.methods else ""
    if found is not None and last in {"create", "acreate", "bulk_create"}:
        if last == "bulk_create" and {k.arg for k in call.keywords} & _ON_CONFLICT:
            return None
        names = {k.arg for k in call.keywords}
        if names & _KEYS or _looked_up(module, function, call, found.model):
            return None
        unique = _has_unique(module, found.model)
        if unique:
            return None
        name = found.model.rpartition(".")[2]
        of_save = isinstance(call.func, ast.Attribute) and call.func.attr in _SAVES
        what = f"{name}(...).save()" if of_save else f"{name}.objects.{last}()"
        return what, "" if unique is False else _UNSURE
    if found is not None and last == "update" and any(_adds(module, k) for k in call.keywords):
        return f"{module.text(call)}", ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in {"execute", "executemany"}:
        text = module.literal(call.args[0]) if call.args else None
        if isinstance(text, str) and _INSERT.match(text) and not _SAFE.search(text):
            return "this INSERT", _UNSURE
    return None


def _new_row(module: Module, call: ast.Call) -> Query | None:
    """`Row(x=x).save()`, and `row = Row(x=x)` with `row.save()`, as a query."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in _SAVES:
        return None
    options = module.possible(func.value)
    made = options[0] if len(options) == 1 else None
    if not isinstance(made, ast.Call) or {k.arg for k in made.keywords} & {*_KEYS, None}:
        return None
    name = module.name(made.func)
    return Query(name, ("create",), False) if name is not None and is_model(module, name) else None


def _looked_first(
    module: Module, function: Function, task: Task, call: ast.Call
) -> Iterator[Remark]:
    """`if not X.objects.filter(...).exists(): X.objects.create(...)` in a task delivered twice."""
    found = query(module, call)
    if found is None:
        found = _new_row(module, call)
    if found is None or not found.methods or found.methods[-1] not in {"create", "acreate"}:
        return
    late = literal(module.project.settings.of_task(task, "acks_late")) is True
    if not late or _has_unique(module, found.model) or _guarded(module, function):
        return
    if {k.arg for k in call.keywords} & _KEYS or not _looked_up(
        module, function, call, found.model
    ):
        return
    yield module.remark(
        call,
        f"{task.name} looks before it inserts, and two deliveries at the same time both look "
        "before either inserts; use get_or_create() under a unique constraint",
        doubt="a message is rarely delivered twice at the same time"
        if _has_unique(module, found.model) is False
        else _UNSURE,
    )


def _guarded(module: Module, function: Function) -> bool:
    """Whether a lock is spoken of: two runs do not stand between look and insert together."""
    words = [ast.unparse(d) for d in function.node.decorator_list]
    words += [ast.unparse(c.func) for c in module.inside(function.node, ast.Call)]
    words += [ast.unparse(w.context_expr) for w in module.inside(function.node, ast.withitem)]
    return any(word in said.lower() for said in words for word in _LOCKS)


_LOCKS: Final = (
    "lock",
    "select_for_update",
    "mutex",
    "semaphore",
    "cache.add",
    "once",
    "singleton",
)
_ON_CONFLICT: Final = frozenset({"ignore_conflicts", "update_conflicts"})


def _adds(module: Module, keyword: ast.keyword) -> bool:
    """`stock=F("stock") - 1`."""
    value = keyword.value
    return isinstance(value, ast.BinOp) and any(
        isinstance(side, ast.Call)
        and module.name(side.func) in {"django.db.models.F", "django.db.models.expressions.F"}
        and bool(side.args)
        and module.literal(side.args[0]) == keyword.arg
        for side in (value.left, value.right)
    )


def _looked_up(module: Module, function: Function, call: ast.Call, model: str) -> bool:
    """Whether the same model is asked before: a second run may find what the first has written."""
    for other in module.inside(function.node, ast.Call):
        if other.lineno < call.lineno:
            found = query(module, other)
            if found is not None and found.model == model and {*found.methods} & _LOOKS:
                return True
    return False


def _has_unique(module: Module, model: str) -> bool | None:
    """Whether a model of the project has a constraint that refuses a second row; None: unknown."""
    index = module.project.index
    if index.class_(model) is None:
        return None
    known = True
    for ancestor in index.ancestors(model):
        found = index.class_(ancestor)
        if found is None:
            known = known and ancestor.startswith(("django.", "builtins.object"))
            continue
        facts, class_ = found
        if any(_is_unique(value) for value in class_.attributes.values()):
            return True
        meta = facts.classes.get(f"{class_.qualname}.Meta")
        if meta is not None and {"unique_together", "constraints"} & meta.attributes.keys():
            return True
    return False if known else None


def _is_unique(value: Value) -> bool:
    if not isinstance(value, Call):
        return False
    one_to_one = getattr(value.func, "dotted", "").endswith("OneToOneField")
    given = [literal(value.keyword(k)) for k in ("unique", "primary_key")]
    return one_to_one or any(g is True for g in given)
