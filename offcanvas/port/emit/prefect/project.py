"""All files of a port to Prefect."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from offcanvas.port import lower
from offcanvas.port import names as naming
from offcanvas.port.emit.cases import cases
from offcanvas.port.emit.contexts import contexts
from offcanvas.port.emit.files import formatted
from offcanvas.port.emit.limits import limits
from offcanvas.port.emit.loose import marked
from offcanvas.port.emit.objects import OBJECTS
from offcanvas.port.emit.parts import Parts, settled
from offcanvas.port.emit.prefect import fixed
from offcanvas.port.emit.prefect.flows import HELPERS, RESERVED, FlowPrinter
from offcanvas.port.emit.prefect.starter import starter
from offcanvas.port.emit.prefect.stubs import stubs
from offcanvas.port.emit.prefect.tasks import Tasks
from offcanvas.port.emit.prefect.tests import attempts, equivalence
from offcanvas.port.emit.prefect.worker import prefect_yaml, worker
from offcanvas.port.emit.printing import some_of
from offcanvas.port.emit.sent import sends
from offcanvas.port.emit.statements import names_of, step_calls

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.port.ir import Note, Plan
    from offcanvas.port.script import Program, Script, StepCall

#: Names that flows.py imports for itself.
_OWN: Final = frozenset(
    {"Any", "Iterator", "PrefectFuture", "STEP", "flow", "get_run_logger", "task"}
)


def emit(
    project: Project, plan: Plan, package: str, *, by_call: bool = False
) -> tuple[dict[str, str], list[Note]]:
    """Files by path relative to the project's root, and notes that arose while emitting.

    ``by_call``: steps call Celery's tasks, and no body moves.
    ``package`` is the name of the emitted package, for example "shop_prefect".

    Raises:
        MisfitError: arguments that do not fit a task.
        MissingExtra: ruff is not installed.
    """
    parts = Parts(project, plan, by_call, package.replace("/", "."))
    program = lower.program(plan, parts.needs(), RESERVED)
    files = _Emitter(parts, program, package).files()
    tops = {name.partition(".")[0] for name in project.index.modules}
    done = formatted(files, tuple(sorted({package, plan.package, *tops})))
    return {**marked(done, project), **parts.celery_files()}, parts.notes


@dataclass
class _Emitter:
    parts: Parts
    program: Program
    package: str
    tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        calls: list[StepCall] = []
        for script in self.program.scripts:
            for body in (script.body, *(sub.body for sub in script.subs)):
                calls += step_calls(body)
        canvases = [script.canvas for script in self.program.scripts]
        self.tasks = Tasks(self.parts, self.package, self.program.steps, calls, canvases)
        names: list[str] = []
        for script in self.program.scripts:
            taken = {*names, *_OWN}
            names.append(naming.unused(naming.snake(script.canvas.name), taken))
        self.names = names

    def files(self) -> dict[str, str]:
        sources = some_of(script.canvas.place.path for script in self.program.scripts)
        flows = self._flows(sources)
        named = list(zip(self.names, self.program.scripts, strict=True))
        out = {
            "__init__.py": f'"""The canvases of {sources} as Prefect flows."""\n',
            "flows.py": flows,
            "tasks.py": self.tasks.text(),
            "options.py": self._options(),
            "starter.py": starter(self.parts, named, self.package),
            "worker.py": worker(self.names, self.package, self.parts.plan.package, self.tasks),
            "prefect.yaml": prefect_yaml(
                self.names,
                self.package,
                self.parts.plan.package,
                version("prefect"),
                self.tasks.limits,
            ),
        }
        sending = sends(self.program.scripts, self.parts.package)
        if sending:
            out["sends.py"] = sending
        if self.tasks.retries:
            out["tests/__init__.py"] = '"""Tests of the port."""\n'
            out["tests/test_attempts.py"] = attempts(self.tasks.retries, self.package)
        stubbed = stubs(named, self.parts.plan.traces, self.tasks, self._helpers(), self.package)
        if stubbed and not self.parts.plan.pickles:
            out["tests/__init__.py"] = '"""Tests of the port."""\n'
            out["tests/test_flows.py"] = stubbed
        found = cases(self.program.scripts, self.parts.plan.samples, self.parts.plan.notes)
        by_canvas = {script.canvas.name: name for name, script in named}
        against = equivalence(found, by_canvas, self.package)
        if against:
            out["tests/__init__.py"] = '"""Tests of the port."""\n'
            out["tests/test_equivalence.py"] = against
        if "all_of" in flows:
            out["fan_out.py"] = fixed.FAN_OUT
        if f"from {self.package}.limits import" in out["tasks.py"]:
            out["limits.py"] = limits(f"{self.package}.tasks")
        if self.parts.contexts:
            out["context.py"] = contexts(self.parts, self.parts.contexts)
        if self.parts.plan.pickles:
            out["objects.py"] = OBJECTS
        files = {f"{self.package}/{name}": settled(text) for name, text in out.items()}
        return {**files, **self.parts.work_files()}

    def _bound(self) -> set[str]:
        return {name for script in self.program.scripts for name in names_of(script)}

    def _helpers(self) -> dict[str, str]:
        """What flows.py calls its helpers: none is the name of a variable or a flow."""
        taken = {*self._bound(), *self.names}
        return {name: naming.unused(name, taken) for name in (*HELPERS, "error")}

    def _flows(self, sources: str) -> str:
        bound, helpers = self._bound(), self._helpers()
        taken = {*bound, *helpers.values(), *self.names, *_OWN}
        texts: list[str] = []
        used: set[str] = set()
        imports: set[str] = {"from prefect import flow"}
        for name, script in zip(self.names, self.program.scripts, strict=True):
            subs: dict[str, str] = {}
            for sub in script.subs:
                subs[sub.name] = naming.unused(sub.name, taken)
                taken.add(subs[sub.name])
            printer = self._printer(script, name, subs, helpers)
            texts.append(printer.text())
            used |= printer.used
            imports |= printer.imports
            for _, why in printer.waits:
                canvas = script.canvas
                self.parts.note("PORT126", canvas.place, f"{canvas.name}: {why}", canvas.name)
        if "STEP" in used:
            imports |= {"from prefect import task", f"from {self.package}.options import STEP"}
        self.tasks.options |= used & {"logged", "sleep_until"}
        where = {
            "do": f"from {self.package} import tasks",
            "all_of": f"from {self.package}.fan_out import all_of",
            "chain": "from itertools import chain",
            "flow_run": "from prefect.runtime import flow_run",
            "logged": f"from {self.package}.options import logged",
            "sleep_until": f"from {self.package}.options import sleep_until",
            "time": "import time",
        }
        for name in used & set(HELPERS):
            alias = helpers[name]
            plain = where[name].rpartition(" ")[2] == alias
            imports.add(where[name] if plain else f"{where[name]} as {alias}")
        constants = [f"{name} = {value}" for name, value in self.parts.plan.constants.items()]
        head = [f'"""One flow for each canvas of {sources}."""', "\n".join(sorted(imports))]
        return "\n\n".join([*head, *constants, *texts]) + "\n"

    def _printer(
        self, script: Script, name: str, subs: dict[str, str], helpers: dict[str, str]
    ) -> FlowPrinter:
        steps = {step.name: step for step in self.program.steps}
        module = self.parts.module(script.canvas.place.path)
        return FlowPrinter(script, name, subs, steps, self.tasks, module, helpers)

    def _options(self) -> str:
        used = self.tasks.options
        found = [
            fixed.asked_again(told="as_asked" in used) if name == "asked_again" else one
            for name, one in fixed.OPTIONS.items()
            if name in used
        ]
        imports = sorted({line for one in found for line in one.imports})
        head = '"""What tasks say of retries and results. A step that is called is executed."""'
        return "\n\n".join([head, "\n".join(imports), *(one.text for one in found)])
