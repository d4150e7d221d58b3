"""Tasks that a body sends as it goes on: the body is given what sends them.

``other.delay(...)`` in a body becomes ``send_other(...)``, an argument of the body: Celery's task
hands in ``other.delay``, a step what starts a workflow of its own. What a function of the same
module sends, called from the body, goes the same way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from offcanvas.audit.names import SIGNATURE, TASK
from offcanvas.port import names as naming
from offcanvas.port.ir import Place, Sent, walk

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tasks import Task
    from offcanvas.audit.tree import Function
    from offcanvas.port.edits import Edits
    from offcanvas.port.ir import Node, Param

_SENDS: Final = frozenset({"delay", "apply_async"})
#: Options of ``apply_async`` that say where a message goes, and not what happens.
_PLACE: Final = frozenset(
    {"queue", "priority", "routing_key", "exchange", "serializer", "ignore_result"}
)


#: Words of which one stands wherever a task is sent.
_WORDS: Final = _SENDS | {"add_to_chord", "send_task", "replace"}
_WORD: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Send:
    """``other.delay``, a call of ``other.apply_async``, or ``other.si(...).delay()``.

    source: ``other``. signed: ``other.si(...)``.
    """

    node: ast.Attribute
    call: ast.Call | None
    task: Task
    source: ast.expr
    signed: ast.Call | None = None

    @property
    def name(self) -> str:
        """What the body calls instead."""
        return f"send_{self.task.function.rpartition('.')[2]}"


@dataclass(frozen=True, slots=True)
class Passed:
    """A function of the same module that sends tasks itself: called, or handed on."""

    node: ast.Name
    call: ast.Call | None
    function: Function
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inline:
    """A canvas that is written out where it is sent: a workflow of its own, with inputs.

    given: what the body hands in for each parameter, as source. tasks: those of the canvas.
    """

    call: ast.expr
    name: str
    node: Node
    params: tuple[Param, ...]
    given: tuple[tuple[str, str], ...]
    tasks: tuple[Task, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Sender:
    """What a body is given to send a task: its name there, the task, and the task as source.

    local: the statement that imports the task, if the body does. canvas: what is sent is a canvas
    that the body writes out; ``task`` is the first of it then.
    """

    name: str
    task: Task
    source: str
    local: str = ""
    canvas: Inline | None = None


class NotSentError(Exception):
    """A form of sending that a body cannot be given."""

    def __init__(self, node: ast.AST, why: str) -> None:
        super().__init__(why)
        self.node = node
        self.why = why


# What is known of files: each is asked for every canvas that calls a task in it.
_SPEAKING: Final[WeakKeyDictionary[Module, frozenset[str]]] = WeakKeyDictionary()
_SENT: Final[
    WeakKeyDictionary[
        Module, dict[tuple[str, frozenset[str]], dict[str, Sender] | tuple[ast.AST, str]]
    ]
] = WeakKeyDictionary()


def speaking(module: Module) -> frozenset[str]:
    """The functions of a file with a word of sending in them, or a call of one that has.

    Nothing else can send a task, and most of a file need not be looked at any closer.
    """
    known = _SPEAKING.get(module)
    if known is not None:
        return known
    lines = module.source.decode(errors="replace").splitlines()
    names: dict[str, set[str]] = {}
    found: set[str] = set()
    for function in module.functions:
        node = function.node
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        names[function.qualname] = set(_WORD.findall(text))
        if names[function.qualname] & _WORDS:
            found.add(function.qualname)
    while more := {name for name, said in names.items() if name not in found and said & found}:
        found |= more
    _SPEAKING[module] = frozenset(found)
    return _SPEAKING[module]


def sent_by(
    module: Module, function: Function, seen: frozenset[str] = frozenset()
) -> dict[str, Sender]:
    """What a function sends, and what it calls sends, by the name of the sender.

    Raises:
        NotSentError: it sends in a form that cannot be handed in.
    """
    if function.qualname not in speaking(module):
        return {}
    known = _SENT.setdefault(module, {})
    key = (function.qualname, seen)
    if key not in known:
        try:
            known[key] = _sent_by(module, function, seen)
        except NotSentError as problem:
            known[key] = (problem.node, problem.why)  # the error itself would hold the file
    made = known[key]
    if isinstance(made, tuple):
        raise NotSentError(*made)
    return dict(made)


def _sent_by(module: Module, function: Function, seen: frozenset[str]) -> dict[str, Sender]:
    found: dict[str, Sender] = {}
    for one in sends_in(module, function):
        known = found.setdefault(one.name, _sender(module, one))
        if known.task.name != one.task.name or known.canvas is not None:
            raise NotSentError(one.node, f"two tasks are called {one.name.removeprefix('send_')}")
    for written in inlines(module, function):
        if written.name in found:
            raise NotSentError(written.call, f"{written.name} would send two things")
        found[written.name] = Sender(written.name, written.tasks[0], "", canvas=written)
    for passed in passed_on(module, function, seen):
        found |= sent_by(module, passed.function, seen | {function.qualname})
    return found


def _sender(module: Module, send: Send) -> Sender:
    source = ast.unparse(send.source)
    head = source.partition(".")[0]
    facts = module.facts
    if head in {*facts.imports, *facts.functions, *facts.classes, *facts.assigns}:
        return Sender(send.name, send.task, source)
    function = send.task.function
    package = send.task.qualname.removesuffix(f".{function}")
    return Sender(send.name, send.task, function, f"from {package} import {function}")


def inlines(module: Module, function: Function) -> list[Inline]:
    """The canvases that a function writes out where it sends them.

    Raises:
        NotSentError: one of them is made elsewhere, or needs more than values of the function.
    """
    wanted = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.expr) and _is_written(module, node)
    ]
    if not wanted:
        return []
    from offcanvas.port.read.sites import Sites
    from offcanvas.port.read.statements import Statements
    from offcanvas.port.read.tasks import task_of
    from offcanvas.port.read.values import NotReadError

    reader = Statements()
    sites = Sites(module, function, reader, {}, {})
    try:
        read = {id(call): (call, node) for call, node in sites.read()}
        sites.tasks = {n: task_of(module.project, t, {}) for n, t in reader.tasks.items()}
        made: list[Inline] = []
        for call in wanted:
            if id(call) not in read:
                raise NotSentError(call, f"the body calls .{_word(call)}()")
            site = sites.site(*read[id(call)])
            if site.rows:
                raise NotSentError(call, "a canvas over rows is sent by the body")
            number = f"_{len(made) + 1}" if made else ""
            name = f"send_{naming.snake(function.name)}{number}"
            tasks = tuple(reader.tasks[p.task] for p in walk(site.node) if hasattr(p, "task"))
            place = Place(module.path, call.lineno)
            made.append(Inline(call, name, site.node, site.params, site.given, tasks, place))
    except NotReadError as problem:
        raise NotSentError(wanted[0], problem.why) from problem
    return made


def _word(node: ast.AST) -> str:
    func = node.func if isinstance(node, ast.Call) else node
    return func.attr if isinstance(func, ast.Attribute) else "delay"


def _is_written(module: Module, node: ast.AST) -> bool:
    """``chain(...).apply_async()``, or that without the call: a canvas written where it is sent."""
    func = node.func if isinstance(node, ast.Call) else node
    if not isinstance(func, ast.Attribute) or func.attr not in _SENDS:
        return False
    above = module.parents.get(func)
    if node is func and isinstance(above, ast.Call) and above.func is func:
        return False  # it is called
    if not isinstance(func.value, ast.Call):
        return False
    if module.instance(func.value) != SIGNATURE or _signed(module, func) is not None:
        return False
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    return not any(module.instance(name) == SIGNATURE for name in names)


def _signed(module: Module, func: ast.Attribute) -> ast.Call | None:
    """The ``task.si(...)`` of ``task.si(...).delay()``, if it is nothing more."""
    made = func.value
    if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Attribute):
        return None
    above = module.parents.get(func)
    bare = isinstance(above, ast.Call) and not above.args and not above.keywords
    fits = made.func.attr in {"s", "si"} and module.task(made.func.value) is not None
    return made if fits and bare else None


def senders(module: Module, function: Function) -> tuple[Sender, ...]:
    """What a body is given to send what it sends.

    Raises:
        NotSentError: it sends in a form that cannot be handed in.
    """
    return tuple(sent_by(module, function).values())


def edit(module: Module, function: Function, edits: Edits) -> None:
    """Put what is given to the body in the place of what it sends."""
    for one in sends_in(module, function):
        edits.replace(*spelled(one))
    for written in inlines(module, function):
        values = ", ".join(f"{name}={text}" for name, text in written.given)
        if isinstance(written.call, ast.Attribute):
            edits.replace(written.call, f"partial({written.name}, {values})")
        else:
            edits.replace(written.call, f"{written.name}({values})")
    for passed in passed_on(module, function):
        call = passed.call
        more = ", ".join(f"{name}={name}" for name in passed.names)
        if call is None:
            edits.replace(passed.node, f"partial({passed.node.id}, {more})")
            continue
        given = [*call.args, *(k.value for k in call.keywords)]
        if given:
            end = max(edits.span(one)[1] for one in given)
            edits.cut(end, end, f", {more}")
        else:
            end = edits.span(call)[1] - 1
            edits.cut(end, end, more)


def sends_in(module: Module, function: Function) -> Iterator[Send]:
    """The places of a function that send a task.

    Raises:
        NotSentError: one of them is not ``task.delay(...)``.
    """
    for node in ast.walk(function.node):
        if not isinstance(node, ast.Attribute) or node.attr not in _WORDS:
            continue
        name = module.name(node) or ""
        owner, _, word = name.rpartition(".")
        if word not in _WORDS:
            continue
        if owner not in {TASK, SIGNATURE, "celery.Signature", "celery.Celery"}:
            continue
        above = module.parents.get(node)
        call = above if isinstance(above, ast.Call) and above.func is node else None
        if _is_written(module, node if call is None else call):
            continue  # of inlines
        signed = _signed(module, node) if word in _SENDS else None
        source = node.value if signed is None else _of(signed)
        task = module.task(source) if word in _SENDS else None
        if (
            task is None
            or task.params is None
            or {"args", "kwargs"} & {p.kind for p in task.params.items}
        ):
            raise NotSentError(node, f"the body calls .{word}()")
        if call is not None and not isinstance(module.parents.get(call), ast.Expr | ast.Lambda):
            raise NotSentError(node, f"what .{word}() gives back is used")
        if word == "apply_async" and signed is None and (call is None or _packed(call) is None):
            raise NotSentError(node, "the body calls .apply_async() with options")
        if signed is not None:
            yield Send(node, call, task, source, signed)
        else:
            yield Send(node, call if word == "apply_async" else None, task, source)


def forms(
    module: Module, function: Function, seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Sent]]:
    """How what a function sends hands its arguments on: the name of the task, and the form.

    Raises:
        NotSentError: one of them is not ``task.delay(...)``.
    """
    for one in sends_in(module, function):
        yield one.task.name, _form(module, one)
    for passed in passed_on(module, function, seen):
        yield from forms(module, passed.function, seen | {function.qualname})


def _form(module: Module, send: Send) -> Sent:
    above = module.parents.get(send.node)
    called = above if isinstance(above, ast.Call) and above.func is send.node else None
    call = send.signed or called
    if call is None:
        return Sent(None, None)  # handed on, and called elsewhere
    if send.node.attr == "apply_async" and send.signed is None:
        said = ast.parse(f"_({_packed(call)})", mode="eval").body
        call = said if isinstance(said, ast.Call) else call
    starred = any(isinstance(one, ast.Starred) for one in call.args)
    names = [keyword.arg for keyword in call.keywords]
    for keyword in call.keywords:
        if keyword.arg is None and isinstance(keyword.value, ast.Dict):
            names.remove(None)
            written = [k.value if isinstance(k, ast.Constant) else None for k in keyword.value.keys]
            names += [word if isinstance(word, str) else None for word in written]
    known = frozenset(name for name in names if name)
    return Sent(None if starred else len(call.args), None if None in names else known)


def _of(signed: ast.Call) -> ast.expr:
    return signed.func.value if isinstance(signed.func, ast.Attribute) else signed


def _packed(call: ast.Call) -> str | None:
    """The arguments of ``apply_async(args, kwargs)`` as those of a call; None if there is more."""
    given = {k.arg: k.value for k in call.keywords}
    if None in given or len(call.args) > 2:
        return None
    args = call.args[0] if call.args else given.pop("args", None)
    kwargs = call.args[1] if len(call.args) > 1 else given.pop("kwargs", None)
    if set(map(str, given)) - _PLACE:
        return None
    said: list[str] = []
    if isinstance(args, ast.Tuple | ast.List):
        said += map(ast.unparse, args.elts)
    elif args is not None:
        said.append(f"*{ast.unparse(args)}")
    if kwargs is not None:
        said.append(f"**{ast.unparse(kwargs)}")
    return ", ".join(said)


def spelled(send: Send) -> tuple[ast.expr, str]:
    """The node that goes and what stands in its place."""
    if send.call is None:
        return send.node, send.name
    if send.signed is not None:
        given = [*map(ast.unparse, send.signed.args)]
        given += [
            f"{k.arg}={ast.unparse(k.value)}" if k.arg else f"**{ast.unparse(k.value)}"
            for k in send.signed.keywords
        ]
        return send.call, f"{send.name}({', '.join(given)})"
    return send.call, f"{send.name}({_packed(send.call)})"


def passed_on(
    module: Module, function: Function, seen: frozenset[str] = frozenset()
) -> Iterator[Passed]:
    """The calls of functions of the same module that send tasks."""
    for node in module.inside(function.node, ast.Name):
        called = module.function_named(node.id) if isinstance(node.ctx, ast.Load) else None
        if called is None or called.qualname in seen | {function.qualname}:
            continue
        if called.qualname not in speaking(module):
            continue
        if node.id in function.bindings:
            continue
        above = module.parents.get(node)
        if isinstance(above, ast.Attribute):
            continue  # of a task, which sends_in has seen
        names = sent_by(module, called, seen | {function.qualname})
        if names:
            call = above if isinstance(above, ast.Call) and above.func is node else None
            yield Passed(node, call, called, tuple(names))
