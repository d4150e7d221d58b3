"""inputs.py: dataclasses for workflows, rows, and steps with more than one parameter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from offcanvas.port import names as naming
from offcanvas.port.emit.files import Source
from offcanvas.port.ir import Canvas, Load, Param, Row
from offcanvas.port.source import is_literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from offcanvas.audit.module import Module
    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.ir import Place
    from offcanvas.port.script import Step


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an input. ``required`` fields come first."""

    name: str
    type: str
    default: str
    kind: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How a step or workflow is given its parameters.

    name: of the dataclass; "" when the only parameter is given as it is, or there is none.
    """

    name: str
    fields: tuple[Field, ...]


@dataclass
class Inputs:
    """The inputs of a port, made as they are asked for."""

    parts: Parts
    shapes: dict[str, Shape] = field(default_factory=dict)
    source: Source = field(
        default_factory=lambda: Source(
            "What workflows and activities are given. New fields need a default: histories hold "
            "old ones.",
            {"from dataclasses import dataclass"},
        )
    )
    imports: dict[str, frozenset[str]] = field(default_factory=dict)
    """Imports that the types of a step's only parameter, or of its result, need."""
    names: set[str] = field(default_factory=set)

    def rows(self, rows: Iterable[Row], module: Module) -> None:
        """Dataclasses of the rows that loads return."""
        for row in rows:
            if row.name in self.names:
                continue
            fields = []
            for one in row.fields:
                type_, imports = self._type(one.type, module)
                self.source.imports |= imports
                fields.append(Field(one.name, type_, one.default, "positional"))
            self._dataclass(row.name, fields, row.doc)

    def workflow(self, canvas: Canvas, module: Module, *, told: bool = True) -> Shape:
        """The input of a workflow: always a dataclass, so that fields can be added.

        told: types that are not known are said (PORT130).
        """
        return self._shape(
            f"workflow {canvas.name}",
            f"{naming.camel(canvas.name)}Input",
            canvas.params,
            module,
            canvas.place,
            always=True,
            told=told,
        )

    def step(self, step: Step, module: Module) -> Shape:
        """The input of a step."""
        place = step.task.place if step.task is not None else _place(step.load)
        return self._shape(
            f"step {step.name}",
            f"{naming.camel(step.name)}Input",
            step.params,
            module,
            place,
            always=False,
        )

    def _shape(
        self,
        key: str,
        name: str,
        params: tuple[Param, ...],
        module: Module,
        place: Place,
        *,
        always: bool,
        told: bool = True,
    ) -> Shape:
        if key in self.shapes:
            return self.shapes[key]
        fields: list[Field] = []
        needed: set[str] = set()
        for param in params:
            about = key.rpartition(" ")[2] if told else ""
            type_, imports = self._typed(param, module, place, about)
            needed |= imports
            default = param.default if is_literal(param.default or "[]") else ""
            if param.default and not default:
                type_, default = _optional(type_), ""
            fields.append(Field(param.name, type_, default, param.kind))
        fields.sort(key=lambda one: bool(_default(one)))
        alone = len(fields) == 1 and not _default(fields[0])
        if not fields or (alone and not always and fields[0].kind in {"positional", "keyword"}):
            shape = Shape("", tuple(fields))
            self.imports[key] = frozenset(needed)
        else:
            made = naming.unused(name, self.names)
            self.source.imports |= needed
            self._dataclass(made, fields, "")
            shape = Shape(made, tuple(fields))
        self.shapes[key] = shape
        return shape

    def _typed(
        self, param: Param, module: Module, place: Place, about: str
    ) -> tuple[str, set[str]]:
        type_, imports = self._type(param.annotation, module)
        plain = param.kind in {"positional", "keyword"} and not param.packed
        if type_ == "Any" and about and plain:
            why = "no annotation" if param.annotation in {"", "Any"} else param.annotation
            self.parts.note("PORT130", place, f"{about}({param.name}): {why}", about)
        if param.kind == "args":
            return f"list[{type_}]", imports
        if param.kind == "kwargs":
            return f"dict[str, {type_}]", imports
        return type_, imports

    def _type(self, annotation: str, module: Module) -> tuple[str, set[str]]:
        if annotation.removesuffix(" | None") in self.names:
            return annotation, set()
        if annotation.startswith("list[") and annotation[5:-1] in self.names:
            return annotation, set()
        return self.parts.types.spelled(annotation, module)

    def _dataclass(self, name: str, fields: list[Field], doc: str) -> None:
        self.names.add(name)
        lines = ["@dataclass(frozen=True)", f"class {name}:"]
        if doc:
            lines.append(f'    """{doc}"""\n')
        for one in fields:
            default = _default(one)
            if default.startswith("field("):
                self.source.imports.add("from dataclasses import dataclass, field")
            lines.append(f"    {one.name}: {one.type}" + (f" = {default}" if default else ""))
        if not fields:
            lines.append("    pass")
        self.source.add("\n".join(lines))


def _default(one: Field) -> str:
    if one.kind == "args":
        return "field(default_factory=list)"
    if one.kind == "kwargs":
        return "field(default_factory=dict)"
    return one.default


def _optional(type_: str) -> str:
    return type_


def _place(load: Load | None) -> Place:
    if load is None:
        raise TypeError("a step is of a task or a load")
    return load.place
