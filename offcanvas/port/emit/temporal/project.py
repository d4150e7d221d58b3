"""All files of a port to Temporal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from offcanvas.port import lower
from offcanvas.port import names as naming
from offcanvas.port.emit.cases import cases
from offcanvas.port.emit.contexts import contexts
from offcanvas.port.emit.files import Source, formatted
from offcanvas.port.emit.limits import limits, limits_of
from offcanvas.port.emit.loose import marked
from offcanvas.port.emit.objects import OBJECTS
from offcanvas.port.emit.parts import Parts, settled
from offcanvas.port.emit.sent import sends
from offcanvas.port.emit.statements import step_calls
from offcanvas.port.emit.steps import asked_again, errors_of, inside, module_of, place_of, rows_of
from offcanvas.port.emit.temporal import fixed
from offcanvas.port.emit.temporal import starter as started
from offcanvas.port.emit.temporal.inputs import Inputs, Shape
from offcanvas.port.emit.temporal.policies import Policies
from offcanvas.port.emit.temporal.printer import RESERVED, Printer
from offcanvas.port.emit.temporal.slices import Slices
from offcanvas.port.emit.temporal.stubs import stubs
from offcanvas.port.ir import Note, Plan
from offcanvas.port.policy import Policy
from offcanvas.port.script import Program, Step

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.project import Project
    from offcanvas.port.emit.steps import Limits


def emit(
    project: Project, plan: Plan, package: str, *, by_call: bool = False
) -> tuple[dict[str, str], list[Note]]:
    """Files by path relative to the project's root, and notes that arose while emitting.

    ``by_call``: steps call Celery's tasks, and no body moves.
    ``package`` is the name of the emitted package, for example "shop_temporal".

    Raises:
        MisfitError: arguments that do not fit a task.
        MissingExtra: ruff is not installed.
    """
    parts = Parts(project, plan, by_call, package.replace("/", "."))
    program = lower.program(plan, parts.needs(), RESERVED)
    emitter = _Emitter(parts, program, package)
    files = emitter.files()
    first_party = tuple(sorted({package, plan.package, *(_tops(parts))}))
    done = {**marked(formatted(files, first_party), project), **parts.celery_files()}
    return done, parts.notes


def notes_of(project: Project, plan: Plan, package: str) -> list[Note]:
    """What arises while emitting, without the files."""
    parts = Parts(project, plan, package=package)
    program = lower.program(plan, parts.needs(), RESERVED)
    _Emitter(parts, program, package).files()
    parts.celery_files()
    return parts.notes


def _tops(parts: Parts) -> set[str]:
    return {name.partition(".")[0] for name in parts.project.index.modules}


#: A call of an activity has an id in its workflow, and the workflow one in its namespace.
_ID: Final = 'f"{activity.info().workflow_id}/{activity.info().activity_id}"'


class _Emitter:
    def __init__(self, parts: Parts, program: Program, package: str) -> None:
        self.parts = parts
        self.program = program
        self.package = package
        self.inputs = Inputs(parts)
        self.limits = self._held()
        self.policies = Policies(parts, frozenset(self.limits))
        self.steps = {step.name: step for step in program.steps}
        names = {naming.camel(script.canvas.name) for script in program.scripts}
        slices = Slices(self.steps, names)
        self.workflows = [one for script in program.scripts for one in slices.of(script)]
        for script in slices.left:
            canvas = script.canvas
            what = f"{canvas.name}: it is not put in slices: all its members are in one history"
            parts.note("PORT125", canvas.place, what, canvas.name)
        self.retried = False
        self.asked = False
        self.renewed = False

    def files(self) -> dict[str, str]:
        for step in self.program.steps:
            self.inputs.rows(rows_of(step.load), self._module(step))
        for script in self.program.scripts:
            module = self.parts.module(script.canvas.place.path)
            self.inputs.rows(script.canvas.rows, module)
        shapes = {
            f"step {s.name}": self.inputs.step(s, self._module(s)) for s in self.program.steps
        }
        workflows, used = self._workflows(shapes)
        activities = self._activities(shapes)
        sources = ", ".join(dict.fromkeys(c.canvas.place.path for c in self.program.scripts))
        out = {
            "__init__.py": f'"""The canvases of {sources} as Temporal workflows."""\n',
            "activities.py": activities,
            "inputs.py": self.inputs.source.text(),
            "policies.py": self.policies.source.text(),
            "workflows.py": workflows,
            "worker.py": self._worker(),
        }
        scripts = self.program.scripts
        named = {
            script.canvas.name: self.inputs.shapes[f"workflow {script.canvas.name}"].name
            for script in scripts
        }
        out["starter.py"] = started.starter(
            scripts, named, self.package, pickles=self.parts.plan.pickles
        )
        sending = sends(scripts, self.parts.package, named)
        if sending:
            out["sends.py"] = sending
        out["tests/__init__.py"] = '"""Tests of the port."""\n'
        out["tests/test_replay.py"] = started.REPLAY.format(package=self.package)
        if self.policies.attempts:
            out["tests/test_attempts.py"] = started.attempts(self.policies.attempts, self.package)
        stubbed = stubs(scripts, self.parts.plan.traces, shapes, named, self.package)
        if stubbed and not self.parts.plan.pickles:
            out["tests/test_workflows.py"] = stubbed
        sent = cases(scripts, self.parts.plan.samples, self.parts.plan.notes)
        against = started.equivalence(sent, named, self.package)
        if against:
            out["tests/test_equivalence.py"] = against
        if used & {"all_of", "in_slices"}:
            out["fan_out.py"] = fixed.fan_out(slices="in_slices" in used)
        failures = ""
        if self.retried:
            failures += fixed.RETRIED_ON
        if self.asked:
            failures += self._asked_again()
        if "kind_and_text" in used:
            failures += fixed.KIND_AND_TEXT
        if "ends_chain" in used:
            failures += fixed.ENDS_CHAIN
        if "logged" in used:
            failures += fixed.LOGGED
        if failures:
            out["failures.py"] = fixed.FAILURES + failures
            if self.renewed:
                out["failures.py"] = fixed.with_imports(out["failures.py"])
        if f"from {self.package}.limits import" in activities:
            out["limits.py"] = limits(f"{self.package}.worker")
        if self.parts.contexts:
            out["context.py"] = contexts(self.parts, self.parts.contexts)
        if self.policies.beats:
            out["heartbeats.py"] = fixed.heartbeats(self.package, told=self.renewed)
        if self.parts.plan.pickles:
            out["objects.py"] = OBJECTS
        files = {f"{self.package}/{name}": settled(text) for name, text in out.items()}
        return {**files, **self.parts.work_files()}

    def _held(self) -> dict[str, Limits]:
        """The time limits of steps that a process of their own holds, by step."""
        apart = {
            call.step
            for script in self.program.scripts
            for body in (script.body, *(sub.body for sub in script.subs))
            for call in step_calls(body)
            if call.options.time_limit or call.options.soft_time_limit
        }
        found: dict[str, Limits] = {}
        for step in self.program.steps:
            if step.task is not None and not self.parts.by_call:
                self.parts.body(step)  # in the order in which work.py is to have them
            policy = step.task.policy if step.task is not None else Policy()
            # An activity does not know which of its calls it is, and what limit that has.
            held = None if step.name in apart else limits_of(self.parts, step, policy)
            if held is not None:
                found[step.name] = held
        return found

    def _module(self, step: Step) -> Module:
        return module_of(self.parts, step)

    # -- workflows.py

    def _workflows(self, shapes: dict[str, Shape]) -> tuple[str, set[str]]:
        classes: list[str] = []
        used: set[str] = set()
        own = {script.canvas.name for script in self.program.scripts}
        for script in self.workflows:
            module = self.parts.module(script.canvas.place.path)
            self.inputs.workflow(script.canvas, module, told=script.canvas.name in own)
        known = {**shapes, **self.inputs.shapes}
        names_ = frozenset({*(shape.name for shape in known.values()), *self.inputs.names} - {""})
        for script in self.workflows:
            module = self.parts.module(script.canvas.place.path)
            shape = self.inputs.workflow(script.canvas, module)
            printer = Printer(script, self.steps, known, self.policies, shape, names_)
            classes.append(printer.text())
            used |= printer.used
            if script.canvas.params:
                used.add(shape.name)
        paths = ", ".join(dict.fromkeys(s.canvas.place.path for s in self.program.scripts))
        lines = [f'"""One workflow for each canvas of {paths}."""', ""]
        if "Coroutine" in used:
            lines.append("from collections.abc import Coroutine")
        if "Any" in used:
            lines.append("from typing import Any")
        lines += ["from temporalio import workflow"]
        errors = sorted(used & {"ActivityError", "ApplicationError", "is_cancelled_exception"})
        if errors:
            lines.append(f"from temporalio.exceptions import {', '.join(errors)}")
        lines += ["", "with workflow.unsafe.imports_passed_through():"]
        inside = []
        if self.program.steps:
            inside += [
                f"from {self.package} import activities as do",
                f"from {self.package} import policies",
            ]
        helpers = sorted(used & {"ends_chain", "kind_and_text", "logged"})
        if helpers:
            inside.append(f"from {self.package}.failures import {', '.join(helpers)}")
        fan_out = sorted(used & {"all_of", "in_slices"})
        if fan_out:
            inside.append(f"from {self.package}.fan_out import {', '.join(fan_out)}")
        names = sorted(used & self.inputs.names)
        if names:
            inside.append(f"from {self.package}.inputs import {', '.join(names)}")
        lines += [f"    {line}" for line in inside or ["pass"]]
        constants = [f"{name} = {value}" for name, value in self.parts.plan.constants.items()]
        return "\n".join([*lines, "", *constants, "", *classes]) + "\n", used

    # -- activities.py

    def _activities(self, shapes: dict[str, Shape]) -> str:
        works = {self.parts.bodies.work_of(self._module(s)).path for s in self.program.steps}
        source = Source(
            f"The steps. What they do is in {', '.join(sorted(works))}.",
            {"from temporalio import activity"},
        )
        for step in self.program.steps:
            source.add(self._activity(step, shapes[f"step {step.name}"], source))
        return source.text()

    def _activity(self, step: Step, shape: Shape, source: Source) -> str:
        module = self._module(step)
        returns, imports = self.inputs._type(step.returns, module)  # noqa: SLF001 - one package
        source.imports |= imports | self.inputs.imports.get(f"step {step.name}", frozenset())
        plain = returns.removesuffix(" | None")
        if plain in self.inputs.names or returns[5:-1] in self.inputs.names:
            name = plain if plain in self.inputs.names else returns[5:-1]
            source.imports.add(f"from {self.package}.inputs import {name}")
        given = ""
        if shape.name:
            given = f"given: {shape.name}"
            source.imports.add(f"from {self.package}.inputs import {shape.name}")
        elif shape.fields:
            given = f"{shape.fields[0].name}: {shape.fields[0].type}"
        decorators = ["@activity.defn"]
        retried = self._retried(step, source)
        if retried:
            decorators.append(retried)
        body = self._body(step, shape, source, returns)
        doc = step.task.doc if step.task is not None else ""
        lines = [*decorators, f"def {step.name}({given}) -> {returns}:"]
        if doc:
            lines.append(f'    """{doc.splitlines()[0].strip()}"""')
        return "\n".join([*lines, *(f"    {line}" for line in body)])

    def _retried(self, step: Step, source: Source) -> str:
        """The decorator that says which errors are retried, if any attempt follows at all."""
        if step.task is None or step.kind != "task":
            return ""
        policy = step.task.policy
        retries = policy.retries
        if retries is None and not policy.acks_late:
            return ""
        errors = errors_of(self.parts, step, self.limits.get(step.name))
        asked = asked_again(self.parts, step, errors)
        if asked is not None:
            self.asked = True
            source.imports |= {*errors.imports, f"from {self.package}.failures import asked_again"}
            return f"@asked_again({', '.join(asked)})"
        if errors.only is None and not errors.never:
            return ""
        only = errors.only if errors.only is not None else ("Exception",)
        self.retried = True
        source.imports |= {*errors.imports, f"from {self.package}.failures import retried_on"}
        but = [f"but=({', '.join(errors.never)},)"] if errors.never else []
        return f"@retried_on({', '.join([*only, *but])})"

    def _asked_again(self) -> str:
        if not self.renewed:
            return fixed.ASKED_AGAIN
        last = fixed.TOLD.splitlines(keepends=True)[0]
        return fixed.AS_ASKED + fixed.ASKED_AGAIN.replace(last, fixed.TOLD)

    def _body(self, step: Step, shape: Shape, source: Source, returns: str) -> list[str]:
        prefix = "given." if shape.name else ""
        attempt = "activity.info().attempt - 1"
        held = self.limits.get(step.name)
        found = inside(self.parts, step, returns, prefix, attempt, _ID, held)
        if found.code:
            return self._todo(found.code, step, found.why, source)
        source.imports |= found.imports
        if any("as_asked(" in line for line in found.before):
            self.renewed = True
            source.imports.add(f"from {self.package}.failures import as_asked")
            what = "the next attempt is told its arguments by a heartbeat"
            about = step.task.name if step.task is not None else step.name
            self.parts.note("PORT151", place_of(step), f"{about}: {what}", about)
        rows = [row.name for row in rows_of(step.load)]
        source.imports |= {f"from {self.package}.inputs import {row}" for row in rows}
        last = found.text if returns == "None" else f"return {found.text}"
        return [*found.before, last]

    def _todo(self, code: str, step: Step, why: str, source: Source) -> list[str]:
        source.imports.add("from temporalio.exceptions import ApplicationError")
        message = f"{code}: {why}"
        return [
            f"# TODO({code}): {why}",
            f"raise ApplicationError({message!r}, non_retryable=True)",
        ]

    # -- worker.py

    def _worker(self) -> str:
        queue = self.parts.plan.package
        others = sorted(self.policies.queues)
        workflows = ", ".join(f"workflows.{naming.camel(s.canvas.name)}" for s in self.workflows)
        beats = self.policies.beats
        interceptors = "\n        interceptors=[Heartbeats()]," if beats else ""
        imports = f"from {self.package}.heartbeats import Heartbeats\n" if beats else ""
        queues = f"QUEUES = {[queue, *others]!r}\n" if others else ""
        run = (
            "        await asyncio.gather(*(worker(client, pool, queue).run() for queue in QUEUES))"
            if others
            else "        await worker(client, pool).run()"
        )
        return f'''"""The worker: `python -m {self.package}.worker`, with TEMPORAL_ADDRESS set."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

from {self.package} import activities, workflows
{imports}
TASK_QUEUE = {queue!r}
{queues}WORKFLOWS = [{workflows}]
ACTIVITIES = [
    step
    for _, step in inspect.getmembers(activities, inspect.isfunction)
    if hasattr(step, "__temporal_activity_definition")
]


def worker(client: Client, pool: ThreadPoolExecutor, task_queue: str = TASK_QUEUE) -> Worker:
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        activity_executor=pool,
        max_concurrent_activities=16,{interceptors}
    )


async def main() -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    with ThreadPoolExecutor(16) as pool:
{run}


if __name__ == "__main__":
    asyncio.run(main())
'''
