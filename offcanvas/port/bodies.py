"""Bodies of tasks as plain functions, without an engine: what the ``work`` module holds.

A body stays as it is written, comments included; only what Celery gave it is replaced:
``self.request.retries`` becomes an argument, ``raise self.retry(...)`` an exception that the
policy retries, the exception of an errback its class name and text. What the body uses of its own
module comes with it; imports are copied.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.port import attempts, sends
from offcanvas.port.attempts import ATTEMPT
from offcanvas.port.edits import Edits
from offcanvas.port.errbacks import needs_of, replacements
from offcanvas.port.ir import Load, Note, Param, Place, Task
from offcanvas.port.read.own import counting_helper
from offcanvas.port.read.tasks import countdown_of, params_of
from offcanvas.port.source import BUILTINS, renamed_code

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.audit.tree import Function

#: The exception that stands for a ``self.retry`` outside of a handler.
TRY_AGAIN: Final = "TryAgain"
#: The exception that stands for ``self.request.chain = None``.
CHAIN_ENDED: Final = "ChainEnded"
#: The argument that carries ``self.request.retries``.
RETRIES: Final = "retries"
#: The type of what sends a task.
SENDER: Final = "Callable[..., object]"
#: The argument that carries ``self.request.id``.
TASK_ID: Final = "task_id"


@dataclass(frozen=True, slots=True)
class Body:
    """A task's body as a function of the ``work`` module.

    retries: it takes the number of attempts before this one as the keyword argument ``retries``.
    task_id: it takes the id of the task as the keyword argument ``task_id``.
    tries_again: it raises ``TryAgain`` where Celery's side called ``self.retry``.
    ends: it raises ``ChainEnded`` where Celery's side said that nothing follows.
    attempt: it takes an ``Attempt`` as the keyword argument ``attempt``, in place of the others.
    renews: in which ways it asks for an attempt with other arguments.
    sends: what it takes as keyword arguments and calls to send other tasks.
    todo: the note that explains why there is no body, if there is none.
    moved: Celery's task calls the function already: an earlier port has moved it there.
    """

    name: str
    retries: bool = False
    task_id: bool = False
    tries_again: bool = False
    ends: bool = False
    attempt: bool = False
    renews: frozenset[str] = frozenset()
    sends: tuple[sends.Sender, ...] = ()
    todo: Note | None = None
    moved: bool = False


@dataclass
class Work:
    """The ``work`` module for one module of the project."""

    source: str
    module: str
    path: str
    imports: dict[str, str] = field(default_factory=dict)
    """Import statements by the name they bind."""
    definitions: dict[str, str] = field(default_factory=dict)
    """Source of functions, classes and constants by name, in the order in which they are needed."""
    bodies: dict[str, Body] = field(default_factory=dict)
    """By registered task name."""
    moved: set[str] = field(default_factory=set)
    """Names that stood in the project's module before."""
    try_again: bool = False
    chain_ended: bool = False
    attempts: str = ""
    """The module that the exceptions and ``Attempt`` come from; "" when they are its own."""
    attempt: bool = False
    existing: str = ""
    """The module's text after an earlier port; what is new is added to it."""

    def text(self) -> str:
        """The module's source, before it is formatted."""
        if self.existing:
            known = {n for s in ast.parse(self.existing).body for n in _named(s)}
            for name in [one for one in self.definitions if one in known]:
                del self.definitions[name]
            head, _, rest = self.existing.partition("from __future__ import annotations\n")
            new = [*self._imports(), *self._errors(), rest.strip(), *self.definitions.values()]
            return head + "\n\n".join(["from __future__ import annotations", *new]) + "\n"
        parts = [
            _headline(self.source),
            "from __future__ import annotations",
        ]
        parts += self._imports()
        parts += self._errors()
        parts += self.definitions.values()
        return "\n\n".join(parts) + "\n"

    def _errors(self) -> list[str]:
        """What stands for what only Celery's tasks can ask and say."""
        texts = [attempts.TRY_AGAIN] if self.try_again else []
        if not self.attempts:
            texts += [attempts.CHAIN_ENDED] if self.chain_ended or self.attempt else []
            texts += attempts.DEFINITIONS.values() if self.attempt else []
        new = [text for text in texts if _head(text) not in self.existing]
        return ['R = TypeVar("R")', *new] if any("-> R" in text for text in new) else new

    def _imports(self) -> list[str]:
        """Import statements, with `Any` for what had no annotation; ruff drops what is not used."""
        imports = set(self.imports.values())
        if self.attempt and not self.attempts:
            imports |= {*attempts.IMPORTS}
        elif self.attempt:
            names = ", ".join(f"{n} as {n}" for n in ("ChainEnded", *attempts.DEFINITIONS))
            imports.add(f"from {self.attempts} import {names}")
        known = {*self.imports, *self.definitions}
        if "Any" not in known and any("Any" in text for text in self.definitions.values()):
            imports.add("from typing import Any")
        return sorted(imports)


class Bodies:
    """Makes the ``work`` modules of a port."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.works: dict[str, Work] = {}
        self.prefixes: dict[str, list[tuple[str, Load]]] = {}
        """Of each module, functions whose first statements have become a step."""
        self.notes: list[Note] = []

    def work_of(self, module: Module) -> Work:
        """The ``work`` module beside a module of the project."""
        found = self.works.get(module.path)
        if found is None:
            name = self.project.index.name_of(module.facts)
            package, _, _ = name.rpartition(".")
            dotted = f"{package}.work" if package else "work"
            folder = module.path.rpartition("/")[0]
            path = f"{folder}/work.py" if folder else "work.py"
            taken = {work.path for work in self.works.values()}
            if path in taken or not self._is_ours(path, name):
                stem = name.rpartition(".")[2]
                dotted = f"{package}.{stem}_work" if package else f"{stem}_work"
                path = f"{folder}/{stem}_work.py" if folder else f"{stem}_work.py"
            text = self.project.text(path) if path in self.project.files else ""
            found = self.works[module.path] = Work(name, dotted, path, existing=text)
        return found

    def _is_ours(self, path: str, source: str) -> bool:
        """Whether a file is not there yet, or is the ``work`` of this module from another run."""
        known = path in self.project.files
        return not known or self.project.text(path).startswith(_headline(source))

    # -- tasks

    def task(self, task: Task, *, errback: bool) -> Body:
        """The body of a task; it is written into its module's ``work``."""
        module = Module.opened(self.project, task.place.path)
        function = module.function_named(task.function) if module is not None else None
        if module is None or function is None:
            note = Note("PORT218", task.place, f"{task.name}: its source cannot be read", task.name)
            return Body(task.function, todo=note)
        work = self.work_of(module)
        name = task.function.rpartition(".")[2]
        key = f"{task.name} as errback" if errback else task.name
        if key in work.bodies:
            return work.bodies[key]
        body = _moved(module, function, work) or self._task(
            task, name, module, function, work, errback=errback
        )
        work.bodies[key] = body
        return body

    def _task(
        self,
        task: Task,
        name: str,
        module: Module,
        function: Function,
        work: Work,
        *,
        errback: bool,
    ) -> Body:
        edits = Edits(module.source)
        state = _State()
        attempt = task.attempt and not errback
        if attempt:
            todo = self._edit_attempt(task, module, function, edits, work)
        else:
            todo = self._edit_self(task, module, function, edits, state)
        params = task.params
        if errback:
            needs = needs_of(function.node, self.project)
            if needs.other:
                line, what = needs.other[0]
                why = f"{task.name} reads {what!r} of the failure"
                todo = Note("PORT210", Place(module.path, line), why, task.name)
            for node, text in replacements(function.node, needs.told, self.project):
                edits.replace(node, text)
                if text.startswith("kind in"):
                    why = f"{task.name} asks for the class of the error: names are compared"
                    self.notes.append(Note("PORT128", task.place, why, task.name))
            positional = [p for p in params if p.kind == "positional"]
            own = [p for p in params if p not in positional[:3]]
            told = [Param("kind", "str")] if needs.kind else []
            told += [Param("error", "str")] if needs.text else []
            plain = [p for p in own if not p.default and p.kind == "positional"]
            params = (*plain, *told, *(p for p in own if p not in plain))
        if todo is None and task.hooks and not errback:
            what = f"{', '.join(task.hooks)} of its class {'is' if len(task.hooks) == 1 else 'are'}"
            why = f"{task.name}: what {what} for is yours to write"
            todo = Note("PORT217", task.place, why, task.name)
        if function.node.args.vararg is None and task.is_async:
            todo = Note("PORT218", task.place, f"{task.name} is a coroutine", task.name)
        sent: tuple[sends.Sender, ...] = ()
        if todo is None:
            try:
                sent = sends.senders(module, function)
                sends.edit(module, function, edits)
            except sends.NotSentError as problem:
                code = "PORT216" if "add_to_chord" in problem.why else "PORT213"
                todo = self._todo(code, module, problem.node, task, problem.why)
        if todo is not None:
            self.notes.append(todo)
            return Body(name, todo=todo)
        missing = self.need(module, function, work, 3 if errback else 0, edits)
        if missing:
            note = Note(
                "PORT218",
                task.place,
                f"{task.name} uses {missing}, which only Celery's side has",
                task.name,
            )
            self.notes.append(note)
            return Body(name, todo=note)
        more = [Param(RETRIES, "int", "0", "keyword")] if state.retries else []
        more += [Param(TASK_ID, "str", '""', "keyword")] if state.task_id else []
        more += [Param(ATTEMPT, "Attempt", kind="keyword")] if attempt else []
        more += [Param(one.name, SENDER, kind="keyword") for one in sent]
        if sent:
            work.imports.setdefault("Callable", "from collections.abc import Callable")
            work.imports.setdefault("partial", "from functools import partial")
        if more:
            params = (*_before_kwargs(params), *more)
            params = (*params, *(p for p in task.params if p.kind == "kwargs"))
        if state.meant:
            self.notes.append(self._meant(task))
        work.try_again |= state.try_again
        work.chain_ended |= state.ends
        ends = state.ends or (attempt and task.ends)
        if ends:
            why = f"{task.name} may end its chain: the workflow ends with nothing then"
            self.notes.append(Note("PORT129", task.place, why, task.name))
        returns = "None" if errback and not task.returns else task.returns
        text = _function(name, params, returns, module, function, edits)
        work.definitions[name] = text
        work.moved.add(name)
        return Body(
            name,
            retries=state.retries,
            task_id=state.task_id or f"{ATTEMPT}.task_id" in text,
            tries_again=state.try_again,
            ends=ends,
            attempt=attempt,
            renews=task.renews if attempt else frozenset(),
            sends=sent,
        )

    def _edit_attempt(
        self, task: Task, module: Module, function: Function, edits: Edits, work: Work
    ) -> Note | None:
        """The same where the body is given an ``Attempt``; its helpers come along."""
        self._attempts(work)
        name = next(iter(function.params.items)).name
        if task.renews and "class Attempt" in work.existing and "given:" not in work.existing:
            why = "self.retry with other arguments, which Attempt of an earlier port cannot say"
            return self._todo("PORT211", module, function.node, task, why)
        found = self._handed(module, function, name, task.name, edits, work)
        if found is None:
            for call in attempts.retry_calls(module, function, name):
                if call.args and attempts.is_caught(module, call, call.args[0]):
                    self.notes.append(self._meant(task))
            return None
        node, why = found
        code = "PORT211" if "self.retry" in why else "PORT212"
        return self._todo(code, module, node, task, why)

    def _meant(self, task: Task) -> Note:
        why = f"{task.name}: self.retry(error) fails in Celery; self.retry(exc=error) is emitted"
        return Note("PORT138", task.place, why, task.name)

    def _attempts(self, work: Work) -> None:
        """The module that first needs an ``Attempt`` defines it for all."""
        if work.attempt:
            return
        first = next((w for w in self.works.values() if w.attempt and not w.attempts), None)
        work.attempt = True
        work.attempts = "" if first is None else first.module

    def _handed(
        self, module: Module, function: Function, name: str, said: str, edits: Edits, work: Work
    ) -> tuple[ast.AST, str] | None:
        handed = [*attempts.handed_on(module, function, name)]
        found = attempts.edit(module, function, name, said, edits, [h.argument for h in handed])
        if found is not None:
            return found
        for one in handed:
            why = self._attempt_helper(one, work)
            if why:
                return one.call, why
        return None

    def _attempt_helper(self, handed: attempts.Handed, caller: Work) -> str:
        """Bring a function that is given the task object; why it cannot come, or ""."""
        module, function = handed.module, handed.function
        work = self.work_of(module)
        name = function.name
        if not isinstance(handed.call.func, ast.Name):
            return f"the body uses {ast.unparse(handed.call)}"
        bound = handed.call.func.id
        if work is not caller:
            said = f"from {work.module} import {name}"
            caller.imports[bound] = said if bound == name else f"{said} as {bound}"
        if name in work.definitions or re.search(rf"^def {name}\(", work.existing, re.MULTILINE):
            return ""
        self._attempts(work)
        edits = Edits(module.source)
        work.definitions[name] = ""  # known, so that it may call itself
        found = self._handed(module, function, handed.param, "", edits, work)
        del work.definitions[name]
        if found is not None:
            return found[1]
        argument = next(
            a
            for a in (*function.node.args.posonlyargs, *function.node.args.args)
            if a.arg == handed.param
        )
        edits.replace_argument(argument, f"{ATTEMPT}: Attempt")
        try:
            sent = sends.senders(module, function)
            sends.edit(module, function, edits)
        except sends.NotSentError as problem:
            return f"{name} sends: {problem.why}"
        if sent and (work is not caller or not _more_params(function, sent, edits)):
            return f"{name} sends other tasks"
        if sent:
            work.imports.setdefault("Callable", "from collections.abc import Callable")
            work.imports.setdefault("partial", "from functools import partial")
        missing = self.need(module, function, work, 0, edits, without=handed.param)
        if missing:
            return f"{name} uses {missing}, which only Celery's side has"
        first = min([function.node.lineno, *(d.lineno for d in function.node.decorator_list)])
        text = edits.lines(first, function.node.end_lineno or first).rstrip()
        work.definitions[name] = text
        self._twice(module, function)
        return ""

    def _twice(self, module: Module, function: Function) -> None:
        why = f"{function.name}: it stays on Celery's side as it is, and so exists twice"
        place = Place(module.path, function.node.lineno)
        self.notes.append(Note("PORT136", place, why, function.name))

    def _edit_self(
        self, task: Task, module: Module, function: Function, edits: Edits, state: _State
    ) -> Note | None:
        """Replace what the body asks of its task object; a note if that cannot be done."""
        if not task.bound:
            return None
        name = next(iter(function.params.items)).name
        uses = [n for n in ast.walk(function.node) if isinstance(n, ast.Name) and n.id == name]
        for node in sorted(uses, key=lambda n: not _asks(module, n)):
            if id(node) in state.consumed:
                continue
            if isinstance(node.ctx, ast.Store):
                return self._todo("PORT212", module, node, task, f"{name} is bound again")
            around = [node, *_parents(module, node, 3)]
            shown = [ast.unparse(one) for one in around[:3] if isinstance(one, ast.expr)]
            if len(shown) > 2 and shown[2] == f"{name}.request.retries":
                target = around[2]
                if isinstance(target, ast.expr):
                    edits.replace(target, RETRIES)
                    state.retries = True
                continue
            if len(shown) > 2 and shown[2] == f"{name}.request.id":
                if isinstance(around[2], ast.expr):
                    edits.replace(around[2], TASK_ID)
                    state.task_id = True
                continue
            if len(shown) > 2 and shown[2] == f"{name}.request.chain":
                if not _end(module, around[2], edits):
                    return self._todo("PORT212", module, node, task, f"the body uses {shown[2]}")
                state.ends = True
                continue
            known = self._known(task, shown[1] if len(shown) > 1 else "", name)
            if known is not None and isinstance(around[1], ast.expr):
                edits.replace(around[1], known)
                continue
            if len(shown) > 1 and shown[1] == f"{name}.retry":
                why = self._retry(module, around, edits, state)
                if why:
                    return self._todo("PORT211", module, node, task, why)
                continue
            call = around[1] if len(around) > 1 else None
            inlined = counting_helper(module, call, node) if isinstance(call, ast.Call) else None
            if inlined is not None and isinstance(call, ast.Call):
                edits.replace(call, inlined)
                state.retries = True
                continue
            what = shown[1] if len(shown) > 1 else name
            code = "PORT216" if what == f"{name}.add_to_chord" else "PORT212"
            return self._todo(code, module, node, task, f"the body uses {what}")
        return None

    def _known(self, task: Task, said: str, name: str) -> str | None:
        """What ``self.max_retries`` and ``self.name`` are, as source."""
        if said == f"{name}.name":
            return repr(task.name)
        if said == f"{name}.max_retries":
            retries = task.policy.retries
            return repr(retries.limit if retries is not None else 3)
        return None

    def _todo(self, code: str, module: Module, node: ast.AST, task: Task, why: str) -> Note:
        place = Place(module.path, getattr(node, "lineno", task.place.line))
        return Note(code, place, f"{task.name}: {why}", task.name)

    def _retry(self, module: Module, around: list[ast.AST], edits: Edits, state: _State) -> str:
        """Replace ``raise self.retry(...)``; why it cannot be done, or ""."""
        call = around[2]
        if not isinstance(call, ast.Call):
            return "self.retry is not called"
        if attempts.is_swallowed(module, call):
            return attempts.SWALLOWED
        given = {k.arg: k.value for k in call.keywords if k.arg}
        handler = next((n for n in module.around(call) if isinstance(n, ast.ExceptHandler)), None)
        match call.args:
            case [ast.Name(id=name) as error] if handler is not None and name == handler.name:
                # `self.retry(error)`: its first parameter is `args`; what is meant is `exc`.
                given.setdefault("exc", error)
                state.meant = True
            case []:
                pass
            case _:
                return "self.retry with arguments"
        if set(given) - {"exc", "countdown", "max_retries", "throw"}:
            return f"self.retry with {', '.join(sorted(set(given) - {'exc', 'countdown'}))}"
        if "max_retries" in given or "throw" in given:
            return "self.retry with a limit of its own"
        first = countdown_of(given["countdown"])[0] if "countdown" in given else None
        if first is not None and first < 0:
            return f"the countdown is {ast.unparse(given['countdown'])}"
        statement = module.parents.get(call)
        if not isinstance(statement, ast.Raise | ast.Expr | ast.Return):
            return "self.retry inside of an expression"
        for node in ast.walk(call):
            if isinstance(node, ast.Name) and node is not around[0]:
                state.consumed.add(id(node))
        exc = given.get("exc")
        if handler is not None and (
            exc is None or (isinstance(exc, ast.Name) and exc.id == handler.name)
        ):
            others = [
                n
                for n in ast.walk(handler)
                if isinstance(n, ast.Raise) and n is not statement and not _retries(n)
            ]
            if others:
                return "the handler retries some errors and raises others"
            edits.replace(statement, "raise")
            return ""
        if exc is not None:
            edits.replace(statement, f"raise {ast.unparse(exc)}")
            return ""
        edits.replace(statement, f"raise {TRY_AGAIN}")
        state.try_again = True
        return ""

    def sending(self, task: Task) -> Note | None:
        """A note if the body of a task sends tasks, waits for them or replaces itself."""
        module = Module.opened(self.project, task.place.path)
        function = module.function_named(task.function) if module is not None else None
        if module is None or function is None:
            return None
        return self._sends(task, module, function)

    def _sends(self, task: Task, module: Module, function: Function) -> Note | None:
        """A note if the body sends tasks or waits for them."""
        for call in module.inside(function.node, ast.Call, nested=True):
            name = module.name(call.func) or ""
            if name.rpartition(".")[0] in {TASK, "celery.Signature"} or name in {
                "celery.Celery.send_task"
            }:
                word = name.rpartition(".")[2]
                if word in {"retry"}:
                    continue
                code = "PORT216" if word == "add_to_chord" else "PORT213"
                return self._todo(code, module, call, task, f"the body calls .{word}()")
        return None

    # -- what a body needs of its module

    def need(
        self,
        module: Module,
        function: Function,
        work: Work,
        skip: int = 0,
        edits: Edits | None = None,
        without: str = "",
    ) -> str:
        """Bring along what a function uses of its module; a name that cannot come, or "".

        ``skip`` is the number of parameters that the plain function does not have; what ``edits``
        have replaced is not needed. ``without`` is a parameter that has become another one.
        """
        local = {*function.bindings, *function.imports}
        told = {p.name for p in function.params.items}
        inside = {
            n.id
            for s in function.node.body
            for n in ast.walk(s)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
            if edits is None or not edits.covers(n)
        }
        bound = function.task is not None and function.task.bound
        drop = {next(iter(function.params.items)).name} if bound else set()
        if edits is not None:  # names in what was put in the place of something
            words = " ".join(text for _, _, text in edits.made)
            known = {*module.facts.imports, *module.facts.assigns}
            inside |= known.intersection(re.findall(r"[^\W\d]\w*", words))
        arguments = function.node.args
        given = [*arguments.posonlyargs, *arguments.args][skip or len(drop) :]
        said = [a.annotation for a in (*given, *arguments.kwonlyargs) if a.arg != without]
        said += [a.annotation for a in (arguments.vararg, arguments.kwarg) if a is not None]
        values = [*arguments.defaults, *arguments.kw_defaults, function.node.returns]
        if function.task is None:
            values += function.node.decorator_list
        signature = {
            n.id
            for part in (*said, *values)
            for n in (ast.walk(part) if part is not None else ())
            if isinstance(n, ast.Name)
        }
        wanted = (inside - local - told - drop) | signature
        return self.bring(module, wanted, work)

    def bring(self, module: Module, names: set[str], work: Work) -> str:
        """Bring names of a module into its ``work``; one that cannot come, or ""."""
        facts = module.facts
        own = {*facts.imports, *facts.functions, *facts.classes, *facts.assigns}
        for name in sorted(names - (BUILTINS - own)):
            if name in work.definitions or name in work.imports:
                continue
            if has_moved(name, module, work, self.project):
                continue
            if name in facts.imports:
                target = facts.imports[name]
                if self._is_celerys(module, name):
                    return name
                work.imports[name] = _import(target, name, module, self.project)
            elif name in facts.functions:
                missing = self._function(module, name, work)
                if missing:
                    return missing
            elif name in facts.classes or name in facts.assigns:
                missing = self._definition(module, name, work)
                if missing:
                    return missing
        return ""

    def _is_celerys(self, module: Module, name: str) -> bool:
        resolved = self.project.index.resolve(module.facts, name)
        if resolved.startswith("celery.") or resolved == "celery":
            return True
        return (self.project.index.instance_of_name(resolved) or "").startswith("celery.Celery")

    def _function(self, module: Module, name: str, work: Work) -> str:
        function = module.function_named(name)
        if function is None:
            return name
        if function.task is not None and not function.task.is_async:
            from offcanvas.port.read.tasks import task_of

            body = self.task(task_of(self.project, function.task, {}), errback=False)
            return name if body.todo is not None else ""
        if function.task is not None and function.task.bound:
            return name
        around = [] if function.task is not None else function.node.decorator_list
        edits = Edits(module.source)
        try:
            sent = sends.senders(module, function)
            sends.edit(module, function, edits)
        except sends.NotSentError:
            return name
        work.definitions[name] = ""  # known, so that it may call itself
        missing = self.need(module, function, work, edits=edits)
        del work.definitions[name]  # after what it needs
        if missing:
            return missing
        if sent:
            more = tuple(Param(one.name, SENDER, kind="keyword") for one in sent)
            params = params_of(function.node.args)
            work.imports.setdefault("Callable", "from collections.abc import Callable")
            work.imports.setdefault("partial", "from functools import partial")
            returns = "" if function.node.returns is None else ast.unparse(function.node.returns)
            text = _function(
                name, (*_before_kwargs(params), *more), returns, module, function, edits
            )
            decorators = [f"@{module.segment(one)}" for one in around]
            work.definitions[name] = "\n".join([*decorators, text])
            self._twice(module, function)
            return ""
        first = min([function.node.lineno, *(d.lineno for d in around)])
        text = edits.lines(first, function.node.end_lineno or first).rstrip()
        work.definitions[name] = text
        if function.task is None:
            work.moved.add(name)
        else:
            self._twice(module, function)
        return ""

    def _definition(self, module: Module, name: str, work: Work) -> str:
        statement = next((s for s in module.tree.body if name in _defines(s)), None)
        if statement is None:
            return name
        used = {
            n.id
            for n in ast.walk(statement)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        }
        for node in ast.walk(statement):
            if isinstance(node, ast.expr) and (module.instance(node) or "").startswith("celery."):
                return name
        work.definitions[name] = ""
        missing = self.bring(module, used - {name}, work)
        del work.definitions[name]
        if missing:
            return missing
        edits = Edits(module.source)
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(d.lineno for d in decorators)])
        work.definitions[name] = edits.lines(first, statement.end_lineno or first).rstrip()
        work.moved.add(name)
        return ""

    # -- code of builders

    def load(self, load: Load, params: tuple[Param, ...], module: Module) -> tuple[str, str]:
        """The function for a load with statements: its name in ``work``, and what cannot come."""
        work = self.work_of(module)
        tree = ast.parse(load.body)
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        bound = {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        missing = self.bring(module, used - bound - {p.name for p in params}, work)
        if missing:
            return load.step, missing
        returns = f"\n    return {load.reads}" if load.reads not in {"", "None"} else ""
        body = "\n".join(f"    {line}" if line.strip() else line for line in load.body.splitlines())
        type_ = load.type or ("Any" if returns else "None")
        used |= {n.id for n in ast.walk(ast.parse(type_)) if isinstance(n, ast.Name)} - {"Any"}
        text = f"def {load.step}({_listed(params)}) -> {type_}:\n{body}{returns}"
        if "Any" in text:
            work.imports.setdefault("Any", "from typing import Any")
        if re.search(rf"^def {load.step}\(", work.existing, re.MULTILINE):
            return load.step, ""  # an earlier port has made it
        if load.step not in work.definitions and not load.after:
            around = next(
                f
                for f in module.functions
                if f.node.lineno <= load.place.line <= (f.node.end_lineno or 0)
            )
            self.prefixes.setdefault(module.path, []).append((around.qualname, load))
        work.definitions[load.step] = text
        return load.step, ""

    def celery_sides(self) -> tuple[dict[str, str], list[Note]]:
        """The project's modules as they are once their bodies have moved, by path."""
        from offcanvas.port.celery_side import celery_side

        files: dict[str, str] = {}
        notes: list[Note] = []
        for path, work in self.works.items():
            module = Module.opened(self.project, path)
            if module is None or not (work.definitions or work.bodies):
                continue
            places = {t.name: t.function for t in self.project.tasks if t.path == path}
            mine: dict[str, Body] = {}
            errbacks: dict[str, Body] = {}
            for key, body in work.bodies.items():
                name = key.removesuffix(" as errback")
                if name in places and not body.moved:
                    (errbacks if key != name else mine)[places[name]] = body
            both = mine.keys() & errbacks.keys()
            plain = {n: b for n, b in mine.items() if n not in both}
            told = {n: b for n, b in errbacks.items() if n not in both}
            prefixes = self.prefixes.get(path, ())
            text, left = celery_side(module, work, plain, told, prefixes)
            if work.definitions:
                files[path] = text
            # A body that cannot move exists once, and has its own note.
            moved = {n for side in (mine, errbacks) for n, b in side.items() if b.todo is None}
            unmoved = {*mine, *errbacks} - moved
            for name in sorted({*left, *both} - unmoved):
                function = module.function_named(name)
                line = function.node.lineno if function is not None else 1
                why = f"{name}: its body stays on Celery's side too, and so exists twice"
                notes.append(Note("PORT136", Place(path, line), why, name))
        return files, notes


@dataclass
class _State:
    retries: bool = False
    task_id: bool = False
    ends: bool = False
    meant: bool = False
    try_again: bool = False
    consumed: set[int] = field(default_factory=set)
    """Nodes of the body, by id, that stand in the function no more."""


def _moved(module: Module, function: Function, work: Work) -> Body | None:
    """The body of a task that an earlier port has made a call of ``work``."""
    alias = work.module.rpartition(".")[2]
    if not work.existing or not module.facts.imports.get(alias, "").endswith(alias):
        return None
    calls = [
        node
        for node in module.inside(function.node, ast.Call)
        if isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == alias
        and node.func.attr != "Attempt"
    ]
    again = bool(re.search(rf"\b{alias}\.{TRY_AGAIN}\b", ast.unparse(function.node)))
    if len(calls) != 1 or not isinstance(calls[0].func, ast.Attribute):
        return None
    counts = any(keyword.arg == RETRIES for keyword in calls[0].keywords)
    named = any(keyword.arg == TASK_ID for keyword in calls[0].keywords)
    attempt = any(keyword.arg == ATTEMPT for keyword in calls[0].keywords)
    given = {keyword.arg for keyword in calls[0].keywords}
    try:
        sent = tuple(one for one in sends.senders(module, function) if one.name in given)
    except sends.NotSentError:
        return None  # it has been edited since, and says so itself
    return Body(
        calls[0].func.attr,
        retries=counts,
        task_id=named,
        tries_again=again,
        ends=attempt and "ends_chain" in ast.unparse(function.node),
        attempt=attempt,
        sends=sent,
        moved=True,
    )


def _end(module: Module, target: ast.AST, edits: Edits) -> bool:
    """Replace ``self.request.chain = None`` and the return behind it; whether that can be done."""
    statement = module.parents.get(target)
    if not isinstance(statement, ast.Assign):
        return False
    returned = attempts.ends_at_once(module, statement)
    if returned is None:
        return False
    around = module.parents[statement]
    blocks = [getattr(around, name, None) for name in ("body", "orelse", "finalbody")]
    block = next(b for b in blocks if isinstance(b, list) and statement in b)
    following = block[block.index(statement) + 1]
    edits.cut(edits.span(statement)[0], edits.offset(following.lineno, following.col_offset))
    edits.replace(returned, f"raise {CHAIN_ENDED}")
    return True


def _more_params(function: Function, sent: tuple[sends.Sender, ...], edits: Edits) -> bool:
    """Add what sends to the parameters of a function; whether that can be done."""
    arguments = function.node.args
    if arguments.kwarg is not None:
        return False
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    ends = [(a.end_lineno or a.lineno, a.end_col_offset or 0) for a in given]
    values = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
    ends += [(d.end_lineno or d.lineno, d.end_col_offset or 0) for d in values]
    end = edits.offset(*max(ends))
    star = "" if arguments.kwonlyargs or arguments.vararg else ", *"
    more = "".join(f", {one.name}: {SENDER}" for one in sent)
    edits.cut(end, end, f"{star}{more}")
    return True


def _head(text: str) -> str:
    """The line of a definition that tells it."""
    return next(line for line in text.splitlines() if line.startswith(("class ", "def ")))


def _headline(source: str) -> str:
    return f'"""What the tasks of {source} do, without an engine; all engines call this."""'


def _retries(statement: ast.Raise) -> bool:
    exc = statement.exc
    return (
        isinstance(exc, ast.Call)
        and isinstance(exc.func, ast.Attribute)
        and exc.func.attr == "retry"
    )


def _asks(module: Module, node: ast.Name) -> bool:
    """Whether a name is the ``self`` of ``self.retry``."""
    above = module.parents.get(node)
    return isinstance(above, ast.Attribute) and above.attr == "retry"


def _parents(module: Module, node: ast.AST, count: int) -> Iterator[ast.AST]:
    for _ in range(count):
        above = module.parents.get(node)
        if above is None:
            return
        yield above
        node = above


def _before_kwargs(params: tuple[Param, ...]) -> tuple[Param, ...]:
    return tuple(p for p in params if p.kind != "kwargs")


def _function(
    name: str,
    params: tuple[Param, ...],
    returns: str,
    module: Module,
    function: Function,
    edits: Edits,
) -> str:
    """The function with its body as it is written, edits made, and a signature of its own."""
    body = function.node.body
    first, last = body[0], body[-1]
    start = edits.offset(first.lineno, 0)
    if first.lineno == function.node.lineno:  # def f(x): return x
        start = edits.span(first)[0]
        inner = "    " + edits.text(start, edits.span(last)[1])
    else:
        # Comments between the signature and the first statement belong to the body.
        lines = module.source.splitlines(keepends=True)
        top = first.lineno
        while lines[top - 2].strip().startswith(b"#"):
            top -= 1
        inner = edits.lines(top, last.end_lineno or last.lineno).rstrip()
    indent = first.col_offset
    if indent != 4 and first.lineno != function.node.lineno:
        inner = "\n".join(
            "    " + line[indent:] if line.strip() else line for line in inner.splitlines()
        )
    given = returns or "Any"
    word = "async def" if isinstance(function.node, ast.AsyncFunctionDef) else "def"
    return f"{word} {name}({_listed(params)}) -> {given}:\n{inner}"


def _listed(params: tuple[Param, ...]) -> str:
    parts: list[str] = []
    star = False
    for param in params:
        text = f"{param.name}: {param.annotation or 'Any'}"
        if param.default:
            text += f" = {param.default}"
        if param.kind == "args":
            parts.append(f"*{text}")
            star = True
            continue
        if param.kind == "kwargs":
            parts.append(f"**{text}")
            continue
        if param.kind == "keyword" and not star:
            parts.append("*")
            star = True
        parts.append(text)
    return ", ".join(parts)


def _named(statement: ast.stmt) -> frozenset[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return frozenset({statement.name})
    return _defines(statement)


def _defines(statement: ast.stmt) -> frozenset[str]:
    match statement:
        case ast.ClassDef(name=name):
            return frozenset({name})
        case ast.Assign(targets=found):
            return frozenset(n.id for t in found for n in ast.walk(t) if isinstance(n, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return frozenset({name})
        case _:
            return frozenset()


def _import(target: str, name: str, module: Module, project: Project) -> str:
    """The import statement that binds a name to what an import of the module bound it to."""
    dotted = absolute(target, module, project)
    head, _, last = dotted.rpartition(".")
    if dotted == name:
        return "\n".join(_whole(name, module))
    if not head:
        return f"import {dotted} as {name}"
    return f"from {head} import {last}" if last == name else f"from {head} import {last} as {name}"


def _whole(name: str, module: Module) -> list[str]:
    """``import a`` and ``import a.b``, both of which bind ``a``."""
    found = {
        alias.name
        for node in module.walk(ast.Import)
        for alias in node.names
        if alias.asname is None and alias.name.partition(".")[0] == name
    }
    return [f"import {one}" for one in sorted(found)] or [f"import {name}"]


def absolute(target: str, module: Module, project: Project) -> str:
    """A relative import's target as an absolute one."""
    if not target.startswith("."):
        return target
    level = len(target) - len(target.lstrip("."))
    package = project.index.name_of(module.facts).split(".")
    if not module.path.endswith("__init__.py"):
        package = package[:-1]
    package = package[: len(package) - (level - 1)]
    return ".".join([*package, target.lstrip(".")]).strip(".")


def has_moved(name: str, module: Module, work: Work, project: Project) -> bool:
    """Whether a module imports a name from its ``work``, where an earlier port has moved it."""
    target = module.facts.imports.get(name, "")
    return bool(target) and absolute(target, module, project) == f"{work.module}.{name}"


def rename_globals(text: str, names: Mapping[str, str]) -> str:
    """Statements or an expression with other expressions in place of names."""
    return renamed_code(text, names)
