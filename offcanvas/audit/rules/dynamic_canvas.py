"""Canvas that is decided or changed while it runs; a port has to rebuild it by hand.

Bad:
    from celery import chain, group, shared_task

    @shared_task
    def step(n):
        ...

    def run(numbers, parallel):
        build = group if parallel else chain
        build([step.si(n) for n in numbers]).delay()
Good:
    from celery import chain, group, shared_task

    @shared_task
    def step(n):
        ...

    def at_once(numbers):
        group([step.si(n) for n in numbers]).delay()

    def in_order(numbers):
        chain([step.si(n) for n in numbers]).delay()
Why: No fault of Celery's. The shape of such work is in data or in another branch of the program:
    a builder that is chosen, a signature read from a store, a request whose chain is cut off, a
    chord that grows. No tool can read it from the source.
Prefect: Plain Python in a flow; the flow builds the work anew.
Temporal: Workflow code; what it builds the work from must come from activities or arguments, and
    more than about 2,000 of them need batches.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import APP, PRIMITIVES, SIGNATURE, TASK
from offcanvas.audit.rules import module_rule

_FROM_DATA: Final = frozenset({"celery.signature", f"{APP}.signature", f"{SIGNATURE}.from_dict"})
_LATER: Final = frozenset({"chain", "chord", "callbacks", "errbacks", "group"})
_FIELDS: Final = frozenset({"args", "kwargs", "options", "tasks", "body"})
_CHANGES: Final = frozenset({"append", "extend", "insert", "pop", "remove", "update", "clear"})


@module_rule("CEL408", Severity.PORTING)
def check(module: Module) -> Iterator[Remark]:
    """Builders chosen at run time, canvases from data, and changes of what is built or running."""
    for call in module.walk(ast.Call):
        yield from _calls(module, call)
    yield from _cut_off(module)
    for assign in module.walk(ast.Assign):
        for target in assign.targets:
            yield from _assigned(module, target)
    for grown in module.walk(ast.AugAssign):
        yield from _assigned(module, grown.target)
    for deleted in module.walk(ast.Delete):
        for target in deleted.targets:
            yield from _assigned(module, target)


def _calls(module: Module, call: ast.Call) -> Iterator[Remark]:
    builders = sorted(n.rpartition(".")[2] for n in module.names(call.func) & PRIMITIVES)
    if len(builders) > 1:
        yield module.remark(
            call, f"{' or '.join(builders)}, chosen when it runs; port it as two named builders"
        )
        return
    func = call.func
    name = module.name(func)
    if name == f"{TASK}.add_to_chord":
        yield module.remark(
            call, "the chord grows while it runs; a port needs a loop that waits for what is added"
        )
    elif name in _FROM_DATA and call.args and _is_data(module, call.args[0]):
        yield module.remark(
            call,
            f"the signature comes from {module.text(call.args[0])!r}, not from the source; a port "
            "has to map its data to code",
        )
    elif (
        isinstance(func, ast.Attribute) and func.attr in _CHANGES and _is_field(module, func.value)
    ):
        yield _changed(module, call, func.value)


def _is_data(module: Module, node: ast.expr) -> bool:
    """Whether a signature's name or dictionary comes from elsewhere: no literal, no task's name."""
    if isinstance(module.literal(node), str) or isinstance(node, ast.JoinedStr):
        return False
    if isinstance(node, ast.Attribute) and node.attr == "name":
        return False
    # maybe_signature(sig) of what is a signature already changes nothing
    return module.instance(node) != SIGNATURE and module.task(node) is None


def _assigned(module: Module, target: ast.expr) -> Iterator[Remark]:
    field = target.value if isinstance(target, ast.Subscript) else target
    item = isinstance(target, ast.Subscript) and module.instance(field) == SIGNATURE
    if item or _is_field(module, field):
        yield _changed(module, target, field)


def _cut_off(module: Module) -> Iterator[Remark]:
    """`self.request.chain = None`: one finding for a function, with its other places."""
    places: dict[str, list[ast.Attribute]] = {}
    for assign in module.walk(ast.Assign):
        for target in assign.targets:
            if (
                isinstance(target, ast.Attribute)
                and target.attr in _LATER
                and module.name(target.value) == f"{TASK}.request"
            ):
                function = module.function(target)
                places.setdefault(function.qualname if function else "", []).append(target)
    for first, *others in places.values():
        also = f" in {len(others) + 1} places" if others else ""
        yield module.remark(
            first,
            f"the running task changes what comes after it (request.{first.attr}){also}; a port "
            "says so with a branch",
            related=tuple((module.path, o.lineno, "and here") for o in others),
        )


def _is_field(module: Module, node: ast.expr) -> bool:
    """`sig.kwargs`, `canvas.tasks`: the inside of a signature."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in _FIELDS
        and module.instance(node.value) == SIGNATURE
    )


def _changed(module: Module, node: ast.AST, what: ast.expr) -> Remark:
    return module.remark(
        node, f"{module.text(what)} of a signature is changed after it was built; build it anew"
    )
