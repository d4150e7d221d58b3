"""What a body asks of the attempt that it is, and tells of it, where one policy cannot say it.

Most tasks ask for ``self.request.retries`` at the most, or for another attempt in one way: an
argument and a policy say that. Where a body has several ways to ask for another attempt, hands
its task object on to other functions, or ends its chain and does more, it is given an ``Attempt``
in the place of the task object, and raises what ``Attempt.again`` says, with the wait and the limit
of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from offcanvas.audit.handlers import BROAD, caught, suppressing, tries_around
from offcanvas.audit.names import TASK
from offcanvas.port.read.own import counting_helper
from offcanvas.port.source import BUILTINS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function
    from offcanvas.port.edits import Edits

#: The argument that carries the attempt.
ATTEMPT: Final = "attempt"

#: What Celery's task raises when no further attempt is allowed, an attribute of it.
EXHAUSTED: Final = "MaxRetriesExceededError"
#: Where ``TryAgainLater`` has what the next attempt is given.
ARGS_AGAIN: Final = "args_again"
KWARGS_AGAIN: Final = "kwargs_again"
DEFINITIONS: Final = {
    "MaxRetriesExceeded": '''class MaxRetriesExceeded(Exception):
    """There is no further attempt."""''',
    "TryAgainLater": '''class TryAgainLater(Exception):
    """To be tried again later: after so many seconds, at most so often; None: as the task says.

    Once there is no further attempt, `error` is the step's. With other arguments, if there are any.
    """

    def __init__(
        self,
        error: BaseException | None = None,
        after: float | None = None,
        limit: int | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(str(error) if error is not None else "Can't retry")
        self.error = error
        self.after = after
        self.limit = limit
        self.args_again = args
        self.kwargs_again = kwargs''',
    "Attempt": '''@dataclass
class Attempt:
    """Which attempt a step is, and whether it says that nothing is to follow it."""

    retries: int = 0
    max_retries: int | None = 3
    task_id: str = ""
    ends_chain: bool = False
    given: tuple[Sequence[Any], Mapping[str, Any]] | None = None

    def again(
        self,
        error: BaseException | None = None,
        after: float | None = None,
        limit: int | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> BaseException:
        """What to raise to be tried again, or because there is no further attempt."""
        most = self.max_retries if limit is None else limit
        if most is not None and self.retries >= most:
            return error or MaxRetriesExceeded("Can't retry")
        if self.given is not None and not (args is None and kwargs is None):
            args = self.given[0] if args is None else args
            kwargs = self.given[1] if kwargs is None else kwargs
        return TryAgainLater(error, after, limit, args, kwargs)''',
    "passed_on": '''def passed_on(attempt: Attempt, result: R) -> R:
    """The result, if something is to follow the step."""
    if attempt.ends_chain:
        raise ChainEnded
    return result''',
}
TRY_AGAIN: Final = '''class TryAgain(Exception):
    """Not ready yet: to be tried again later."""'''
CHAIN_ENDED: Final = '''class ChainEnded(Exception):
    """Nothing is to follow this step: what it was for is done."""'''
IMPORTS: Final = (
    "from collections.abc import Mapping, Sequence",
    "from dataclasses import dataclass",
    "from typing import Any, TypeVar",
)
#: What catches Celery's ``Retry``: itself and its bases.
_CATCH_RETRY: Final = BROAD | {
    f"celery.exceptions.{name}" for name in ("Retry", "TaskPredicate", "CeleryError")
}
#: Why a ``self.retry`` is not ported.
SWALLOWED: Final = "self.retry in a `try` that catches what it raises"
#: The parameters of ``Task.retry``, in their order.
_RETRY: Final = ("args", "kwargs", "exc", "throw", "eta", "countdown", "max_retries")
#: Those of them that are called otherwise by ``Attempt.again``.
_AGAIN: Final = {"after": "countdown", "limit": "max_retries"}


@dataclass(frozen=True, slots=True)
class Handed:
    """A call that hands the task object on to a function of the project, as ``param`` there."""

    call: ast.Call
    argument: ast.Name
    module: Module
    function: Function
    param: str


def handed_on(module: Module, function: Function, name: str) -> Iterator[Handed]:
    """The calls in a function that are given the task object ``name``."""
    for call in module.inside(function.node, ast.Call):
        given: list[tuple[int | str, ast.expr]] = [*enumerate(call.args)]
        given += [(k.arg, k.value) for k in call.keywords if k.arg]
        for place, value in given:
            if not isinstance(value, ast.Name) or value.id != name:
                continue
            found = module.callee(call)
            if found is None or found[1].task is not None or found[1].owner is not None:
                continue
            if counting_helper(module, call, value) is not None:
                continue
            names = [p.name for p in found[1].params.items if p.kind == "positional"]
            if isinstance(place, str):
                yield Handed(call, value, *found, place)
            elif place < len(names):
                yield Handed(call, value, *found, names[place])


def moved(module: Module, function: Function) -> tuple[Module, Function] | None:
    """The body of a task that an earlier port has moved, where it is given an ``Attempt``."""
    for call in module.inside(function.node, ast.Call):
        if not any(keyword.arg == ATTEMPT for keyword in call.keywords):
            continue
        found = module.callee(call)
        given = found[1].node.args.kwonlyargs if found is not None else []
        kinds = [ast.unparse(a.annotation) for a in given if a.arg == ATTEMPT and a.annotation]
        if kinds == ["Attempt"]:
            return found
    return None


def reached(
    module: Module, function: Function, name: str, seen: set[str] | None = None
) -> Iterator[tuple[Module, Function, str]]:
    """A task's function and all that it hands its task object on to, with its name there."""
    seen = set() if seen is None else seen
    key = f"{module.path}:{function.qualname}"
    if key in seen:
        return
    seen.add(key)
    yield module, function, name
    for one in handed_on(module, function, name):
        yield from reached(one.module, one.function, one.param, seen)


def retry_calls(module: Module, function: Function, name: str) -> Iterator[ast.Call]:
    """The calls of ``name.retry`` in a function, whatever the name is bound to.

    In a body that an earlier port has moved it is ``attempt.again``.
    """
    for call in module.inside(function.node, ast.Call):
        func = call.func
        if module.name(func) == f"{TASK}.retry" or (
            isinstance(func, ast.Attribute)
            and func.attr == ("again" if name == ATTEMPT else "retry")
            and isinstance(func.value, ast.Name)
            and func.value.id == name
        ):
            yield call


def is_swallowed(module: Module, call: ast.Call) -> bool:
    """Whether a ``try`` or a ``suppress`` around a ``self.retry`` catches what it raises.

    Celery has sent the next attempt by then, and the task goes on as if it had not.
    """
    for block in tries_around(module, call):
        handler = next((h for h in block.handlers if _CATCH_RETRY & {*caught(module, h)}), None)
        if handler is not None and not _passes_on(handler):
            return True
    return any(any(suppressing(module, one, _CATCH_RETRY)) for one in module.around(call))


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a handler raises at its end what it has caught."""
    last = handler.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    return last.exc is None or (isinstance(last.exc, ast.Name) and last.exc.id == handler.name)


def chain_ends(function: Function, name: str) -> Iterator[ast.Assign]:
    """The statements ``name.request.chain = None`` of a function."""
    for node in ast.walk(function.node):
        match node:
            case ast.Assign(
                targets=[
                    ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id=own), attr="request"), attr="chain"
                    )
                ],
                value=ast.Constant(value=None),
            ) if own == name:
                yield node
            case _:
                pass


def ends_at_once(module: Module, statement: ast.Assign) -> ast.Return | None:
    """The return behind ``self.request.chain = None`` whose value needs no more work."""
    around = module.parents.get(statement)
    blocks = [getattr(around, name, None) for name in ("body", "orelse", "finalbody")]
    block = next((b for b in blocks if isinstance(b, list) and statement in b), None)
    if block is None:
        return None
    rest = block[block.index(statement) + 1 :]
    # What follows up to the return is done first: an exception leaves at once.
    if not rest or not isinstance(rest[-1], ast.Return):
        return None
    value = rest[-1].value
    if value is not None and any(isinstance(n, ast.Call | ast.Await) for n in ast.walk(value)):
        return None
    return rest[-1]


@dataclass(frozen=True, slots=True)
class Asked:
    """One ``self.retry``. error: what its handler catches, or "". own: no policy can say it.

    limit: its own ``max_retries``; -1 for one that is not written out, None for none. renews: which
    of ``args`` and ``kwargs`` the next attempt is given anew.
    """

    error: str
    countdown: ast.expr | None
    own: bool
    limit: int | None
    renews: frozenset[str] = frozenset()


def given_to(module: Module, call: ast.Call) -> dict[str, ast.expr] | None:
    """The arguments of ``self.retry`` by parameter; None where that cannot be told.

    A name of a handler in the first place is the exception: that is what is meant (PORT138). What
    is as it would be without it is left out: ``args=None``, ``kwargs=self.request.kwargs``.
    """
    given: dict[str, ast.expr] = {}
    if isinstance(call.func, ast.Attribute) and call.func.attr == "again":
        given = {_AGAIN.get(k.arg or "", k.arg or ""): k.value for k in call.keywords}
        return {**given, "exc": call.args[0]} if call.args else given
    for place, value in enumerate(call.args):
        if isinstance(value, ast.Starred) or place >= len(_RETRY):
            return None
        word = "exc" if place == 0 and is_caught(module, call, value) else _RETRY[place]
        given[word] = value
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in given:
            return None
        given[keyword.arg] = keyword.value
    for word in ("args", "kwargs"):
        value_ = given.get(word)
        usual = isinstance(value_, ast.Constant) and value_.value is None
        if value_ is not None and (usual or _is_own(value_, word)):
            del given[word]
    return given


def is_caught(module: Module, call: ast.Call, value: ast.expr) -> bool:
    """Whether a value is the exception of a handler around a call."""
    handlers = [n.name for n in module.around(call) if isinstance(n, ast.ExceptHandler)]
    return isinstance(value, ast.Name) and value.id in handlers


def _is_own(value: ast.expr, word: str) -> bool:
    """``self.request.args``: what this attempt was given."""
    above = value.value if isinstance(value, ast.Attribute) and value.attr == word else None
    return (
        isinstance(above, ast.Attribute)
        and above.attr == "request"
        and isinstance(above.value, ast.Name)
    )


def asked_for(module: Module, function: Function, name: str, *, body: bool) -> Iterator[Asked]:
    """The ways in which a function asks for another attempt; ``body``: it is a task's own."""
    for call in retry_calls(module, function, name):
        read = given_to(module, call)
        given = read or {}
        handler = next((n for n in module.around(call) if isinstance(n, ast.ExceptHandler)), None)
        renews = _renewed(given, call)
        caught = handler.type if handler is not None else None
        kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught] if caught else []
        exc = given.get("exc")
        own = not body or read is None or "max_retries" in given or bool(renews)
        if handler is not None:
            others = any(
                isinstance(n, ast.Raise) and call not in ast.walk(n) for n in ast.walk(handler)
            )
            foreign = exc is not None and not (isinstance(exc, ast.Name) and exc.id == handler.name)
            own |= others or foreign or not kinds or not _is_whole(function, handler)
        elif exc is not None:
            own = True
        limit: int | None = None
        if "max_retries" in given:
            said = module.literal(given["max_retries"])
            limit = said if isinstance(said, int) else -1
        for error in [ast.unparse(kind) for kind in kinds] or [""]:
            yield Asked(error, given.get("countdown"), own, limit, renews)


def _renewed(given: Mapping[str, ast.expr], call: ast.Call) -> frozenset[str]:
    """In which ways a ``self.retry`` gives other arguments: one, or any by ``renewing``."""
    words = {"args", "kwargs"} & given.keys()
    if call.args and ast.unparse(call.args[0]).endswith(f".{ARGS_AGAIN}"):
        return frozenset({"args", "kwargs", "both"})
    return frozenset({"both"} if len(words) > 1 else words)


def renewing(renews: frozenset[str], again: str) -> list[str]:
    """How Celery's task hands on what its body asks for: the first arguments of ``self.retry``.

    By position where the body gives now one of the two, now the other: so a later run knows.
    """
    both = [f"{again}.{ARGS_AGAIN}", f"{again}.{KWARGS_AGAIN}"]
    if len(renews) > 1:
        return both
    named = [f"args={both[0]}", f"kwargs={both[1]}"]
    match [*renews]:
        case []:
            return []
        case ["args"]:
            return named[:1]
        case ["kwargs"]:
            return named[1:]
        case _:
            return named


def _is_whole(function: Function, handler: ast.ExceptHandler) -> bool:
    """Whether a handler is of the one statement that a function consists of.

    Else the same error may come from another line, where it is not tried again.
    """
    statements = [
        s
        for s in function.node.body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    return (
        len(statements) == 1
        and isinstance(statements[0], ast.Try)
        and handler in statements[0].handlers
    )


def edit(
    module: Module, function: Function, name: str, said: str, edits: Edits, own: Sequence[ast.expr]
) -> tuple[ast.AST, str] | None:
    """Put an ``Attempt`` in the place of the task object; a use that cannot be so, and why.

    ``said`` is the name of the task, "" in a helper; ``own`` are names that are handed on.
    """
    for node in ast.walk(function.node):
        if not isinstance(node, ast.Name) or node.id != name or node in own:
            continue
        if edits.covers(node):
            continue
        if isinstance(node.ctx, ast.Store):
            return node, f"{name} is bound again"
        why = _one(module, node, name, said, edits)
        if why:
            return node, why
    for node in own:
        edits.replace(node, ATTEMPT)
    return None


_SAME: Final = {"request.retries": "retries", "request.id": "task_id", "max_retries": "max_retries"}


def _one(module: Module, node: ast.Name, name: str, said: str, edits: Edits) -> str:
    first = module.parents.get(node)
    second = module.parents.get(first) if first is not None else None
    if isinstance(first, ast.Call):
        inlined = counting_helper(module, first, node)
        if inlined is not None:
            edits.replace(first, inlined.replace("retries", f"{ATTEMPT}.retries"))
            return ""
        return f"the body uses {ast.unparse(first)}"
    if not isinstance(first, ast.Attribute):
        return f"the body uses {name}"
    path = first.attr
    target: ast.expr = first
    if path == "request" and isinstance(second, ast.Attribute):
        path, target = f"request.{second.attr}", second
    if path in _SAME and isinstance(target.ctx, ast.Load):  # type: ignore[attr-defined]  # an attribute
        edits.replace(target, f"{ATTEMPT}.{_SAME[path]}")
        return ""
    if path == EXHAUSTED:
        edits.replace(target, "MaxRetriesExceeded")
        return ""
    if path == "name" and said:
        edits.replace(target, repr(said))
        return ""
    if path == "request.chain":
        statement = module.parents.get(target)
        if isinstance(statement, ast.Assign) and statement.targets == [target]:
            edits.replace(statement, f"{ATTEMPT}.ends_chain = True")
            return ""
    if path == "retry" and isinstance(second, ast.Call) and second.func is first:
        return _retry(module, second, name, edits)
    return f"the body uses {ast.unparse(target)}"


def _retry(module: Module, call: ast.Call, name: str, edits: Edits) -> str:
    """Replace ``self.retry(...)`` by ``raise attempt.again(...)``; why it cannot be, or ""."""
    statement = module.parents.get(call)
    if not isinstance(statement, ast.Raise | ast.Expr | ast.Return):
        return "self.retry inside of an expression"
    if is_swallowed(module, call):
        return SWALLOWED
    given = given_to(module, call)
    if given is None:
        return "self.retry with arguments"
    unsaid = set(given) - {"exc", "countdown", "max_retries", "args", "kwargs"}
    if unsaid:
        return f"self.retry with {', '.join(sorted(unsaid))}"
    names = {
        **{theirs: ours for ours, theirs in _AGAIN.items()},
        "args": "args",
        "kwargs": "kwargs",
    }
    said = [edits_text(module, given["exc"])] if "exc" in given else []
    said += [
        f"{ours}={edits_text(module, given[word])}" for word, ours in names.items() if word in given
    ]
    if any(isinstance(n, ast.Name) and n.id == name for one in said for n in _walked(one)):
        return f"the body uses {name} in what it asks for"
    cause = statement.cause if isinstance(statement, ast.Raise) else None
    source = "" if cause is None else f" from {ast.unparse(cause)}"
    edits.replace(statement, f"raise {ATTEMPT}.again({', '.join(said)}){source}")
    return ""


def _walked(argument: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(f"_({argument})"))


def edits_text(module: Module, node: ast.expr) -> str:
    """An argument of ``self.retry`` as source, over the attempt."""
    text = ast.unparse(node)
    for path, ours in _SAME.items():
        for own in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - BUILTINS:
            text = text.replace(f"{own}.{path}", f"{ATTEMPT}.{ours}")
    return text
