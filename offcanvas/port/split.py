"""Take the world out of a canvas: what it reads becomes a step that returns data.

Every expression of a builder is *pure* (inputs, literals, arithmetic, text, ``range``, data that is
loaded already) or of the *world* (all else: the database, the clock, settings). A workflow may hold
only the first. World expressions leave it:

* outside of loops, as one ``Load`` each;
* inside a loop, as fields of a row: the iterable becomes a ``Load`` of rows, with one field for
  each thing that the canvas reads of an item, and never the item itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.ir import (
    Canvas,
    Choice,
    Each,
    Errback,
    Field,
    If,
    Join,
    Let,
    Load,
    Node,
    Note,
    Nothing,
    Options,
    Param,
    Part,
    Place,
    Row,
    Seq,
    Side,
    Spread,
    Step,
    Task,
)
from offcanvas.port.source import (
    BUILTINS,
    canonical,
    expression,
    free_names,
    renamed,
    targets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_PURE_CALLS: Final = frozenset(
    {"abs", "all", "any", "bool", "dict", "divmod", "enumerate", "float", "int", "len", "list"}
    | {"max", "min", "pow", "range", "repr", "reversed", "round", "sorted", "str", "sum", "tuple"}
    | {"zip"}
)
_PURE_METHODS: Final = frozenset(
    {"capitalize", "casefold", "center", "count", "endswith", "find", "format", "index", "isdigit"}
    | {"items", "join", "keys", "ljust", "lower", "lstrip", "partition", "removeprefix"}
    | {"removesuffix", "replace", "rjust", "rpartition", "rsplit", "rstrip", "split"}
    | {
        "splitlines",
        "startswith",
        "strip",
        "timestamp",
        "title",
        "upper",
        "values",
        "zfill",
        "get",
        "copy",
    }
)
"""Methods of text, numbers, lists and dictionaries that change nothing."""


@dataclass
class _Loop:
    """A loop that is being read, with what its parts need of its items."""

    var: str
    over: str
    world: bool
    place: Place
    fields: dict[str, Field] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)


@dataclass
class Split:
    """The canvas without the world, the data it loads, and what has to be said about it."""

    tasks: Mapping[str, Task]
    constants: Mapping[str, str]
    loads: list[Let | Load] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    """Names that the workflow has: inputs, lets, loads."""
    records: frozenset[str] = frozenset()
    """Loop variables over records, which are data of the workflow."""
    used: set[str] = field(default_factory=set)
    """Names of the constants that the canvas uses."""

    # -- purity

    def is_pure(self, text: str, inner: frozenset[str] = frozenset()) -> bool:
        """Whether an expression needs nothing but what the workflow has and ``inner``."""
        return self._pure(expression(text), inner)

    def _pure(self, node: ast.AST, inner: frozenset[str]) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                if name in self.known or name in inner:
                    return True
                if name in self.constants:
                    self.used.add(name)
                    return True
                return name in {"True", "False", "None"}
            case ast.Call(func=func, args=args, keywords=keywords):
                if isinstance(func, ast.Name):
                    shadowed = func.id in self.known or func.id in inner
                    fine = func.id in _PURE_CALLS and not shadowed
                elif isinstance(func, ast.Attribute):
                    fine = func.attr in _PURE_METHODS and self._pure(func.value, inner)
                else:
                    fine = False
                given = [*args, *(k.value for k in keywords)]
                return fine and all(self._pure(one, inner) for one in given)
            case ast.Attribute(value=ast.Name(id="plan")):
                return "plan" in self.known
            case ast.Attribute(value=ast.Name(id=name)) if name in self.records:
                return True
            case ast.Attribute() | ast.Lambda() | ast.Set() | ast.SetComp() | ast.Await():
                # An attribute of an input is an object's; a set has no order to rely on.
                return False
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                bound = frozenset(
                    n.id
                    for g in node.generators
                    for n in ast.walk(g.target)
                    if isinstance(n, ast.Name)
                )
                return all(self._pure(child, inner | bound) for child in ast.iter_child_nodes(node))
            case ast.comprehension(target=_, iter=over, ifs=tests):
                return all(self._pure(child, inner) for child in (over, *tests))
            case _:
                return all(self._pure(child, inner) for child in ast.iter_child_nodes(node))

    # -- expressions outside of loops

    def data(self, given: Sequence[Let | Load]) -> None:
        """The builder's own names, in order: computed ones stay, the world's become loads."""
        for one in given:
            if isinstance(one, Load) or self.is_pure(one.value):
                self.loads.append(one)
            else:
                self._load(one.name, one.value, one.place)
                continue
            self.known.add(one.name)

    def _load(self, name: str, reads: str, place: Place, type_: str = "") -> Load:
        step = self._step_name(reads, name)
        load = Load(
            name=name,
            step=step,
            reads=reads,
            inputs=self._inputs(reads),
            type=type_,
            place=place,
            repeatable=not is_moved(reads),
        )
        self.loads.append(load)
        self.known.add(name)
        return load

    def _inputs(self, reads: str) -> tuple[Param, ...]:
        needed = dict.fromkeys(name for name in free_names(reads) if name in self.known)
        return tuple(Param(name) for name in needed)

    def _step_name(self, reads: str, name: str) -> str:
        tree = expression(reads)
        while isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name | ast.Attribute):
            if isinstance(tree.func, ast.Name):
                made = tree.func.id
            elif isinstance(tree.func.value, ast.Name) and tree.func.attr not in _QUERY:
                made = tree.func.attr
            else:
                break
            if made not in BUILTINS:
                taken = {one.step for one in self.loads if isinstance(one, Load)}
                tasks = {task.function.rpartition(".")[2] for task in self.tasks.values()}
                return naming.unused(naming.identifier(made), taken | tasks)
            if not tree.args:
                break
            tree = tree.args[0]
        taken = {one.step for one in self.loads if isinstance(one, Load)}
        return naming.unused(f"read_{naming.identifier(name)}", taken)

    def text(self, text: str, hint: str, place: Place, loops: Sequence[_Loop], guard: str) -> str:
        """The expression as the workflow may hold it.

        ``hint`` names what has to be loaded; ``guard`` is the condition under which it is read.
        """
        inner = frozenset(name for loop in loops for name in targets(loop.var))
        plain = frozenset(name for loop in loops if not loop.world for name in targets(loop.var))
        used = [name for name in free_names(text) if name in inner]
        if not used:
            if self.is_pure(text):
                return text
            return self._hoisted(text, hint, place, guard, inner)
        if self.is_pure(text, plain):
            return text
        loop = next(one for one in reversed(loops) if set(targets(one.var)) & set(used))
        if self.is_pure(text, inner) and all(name in inner for name in used):
            # An item is handed on whole, or a part of it that JSON has as well.
            loops_used = [one for one in loops if set(targets(one.var)) & set(used)]
            for one in loops_used:
                one.whole.update(set(targets(one.var)) & set(used))
            return text
        return self._field(loop, text, hint, guard)

    def _hoisted(
        self, text: str, hint: str, place: Place, guard: str, loop_names: frozenset[str]
    ) -> str:
        wanted = canonical(text)
        if any(name in loop_names for name in free_names(guard or "0")):
            guard = ""
        reads = f"{wanted} if {guard} else None" if guard else wanted
        for one in self.loads:
            if isinstance(one, Load) and one.reads == reads and one.row is None:
                return one.name
        name = naming.unused(naming.identifier(hint), self.known)
        return self._load(name, reads, place).name

    def _field(self, loop: _Loop, text: str, hint: str, guard: str) -> str:
        """A field of the loop's rows that carries the expression."""
        names = frozenset(targets(loop.var))
        tree = expression(text)
        simple = _chain_of(tree, names)
        name = naming.identifier(simple or hint)
        reads = canonical(text)
        if guard and not simple:
            reads = f"{reads} if {guard} else None"
        for known in loop.fields.values():
            if known.reads == reads:
                return f"{_row_var(loop)}.{known.name}"
        name = naming.unused(name, loop.fields)
        loop.fields[name] = Field(name, reads)
        return f"{_row_var(loop)}.{name}"

    # -- the canvas

    def part(self, part: Part, loops: tuple[_Loop, ...], guard: str) -> Part:
        """The part without the world."""
        match part:
            case Each():
                return self._each(part, loops, guard)
            case If(test=test, parts=parts, orelse=orelse, place=place):
                said = self._test(test, place, loops, guard)
                yes, no = _and(guard, test), _and(guard, f"not ({test})")
                return If(
                    said,
                    tuple(self.part(one, loops, yes) for one in parts),
                    tuple(self.part(one, loops, no) for one in orelse),
                    place,
                )
            case Node():
                return self.node(part, loops, guard)

    def _test(self, test: str, place: Place, loops: Sequence[_Loop], guard: str) -> str:
        tree = expression(test)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
            inner = self._test(ast.unparse(tree.operand), place, loops, guard)
            return f"not {inner}" if _is_simple(inner) else f"not ({inner})"
        if isinstance(tree, ast.BoolOp):
            word = " and " if isinstance(tree.op, ast.And) else " or "
            return word.join(
                _wrapped(self._test(ast.unparse(one), place, loops, guard)) for one in tree.values
            )
        hint = _hint(test) or "condition"
        wanted = test if _is_boolean(tree) else f"bool({test})"
        said = self.text(test, hint, place, loops, guard)
        if wanted == test:
            return said
        # Only whether it is true is read: JSON carries a bool, whatever the world's object is.
        for loop in loops:
            for name, known in loop.fields.items():
                own = f"{_row_var(loop)}.{name}" == said and known.type == "Any"
                if own and known.reads == canonical(test):
                    loop.fields[name] = replace(known, reads=f"bool({test})", type="bool")
        for place_, one in enumerate(self.loads):
            if isinstance(one, Load) and one.name == said and one.reads == canonical(test):
                self.loads[place_] = replace(one, reads=f"bool({test})", type="bool")
        return said

    def _each(self, each: Each, loops: tuple[_Loop, ...], guard: str) -> Each:
        outer = frozenset(name for loop in loops for name in targets(loop.var))
        depends = [name for name in free_names(each.over) if name in outer]
        plain = frozenset(n for loop in loops if not loop.world for n in targets(loop.var))
        world = not self.is_pure(each.over, plain)
        loop = _Loop(each.var, each.over, world or self._reads_world(each, loops), each.place)
        if not loop.world:
            parts = tuple(self.part(one, (*loops, loop), guard) for one in each.parts)
            self._typed(each)
            return replace(each, parts=parts)
        parts = tuple(self.part(one, (*loops, loop), _inner(guard, loop)) for one in each.parts)
        over = self._rows(loop, loops, depends, guard)
        var = each.var
        if loop.fields:
            var = _row_var(loop)
            if loop.whole:
                names = {name: f"{var}.{name}" for name in loop.whole}
                for name in loop.whole:
                    loop_field = Field(name, name)
                    loop.fields.setdefault(name, loop_field)
                if not (len(names) == 1 and var in names):
                    parts = tuple(rename_part(part, names) for part in parts)
        return replace(each, var=var, over=over, parts=parts)

    def _typed(self, each: Each) -> None:
        """A loaded list has the type of what receives its items."""
        for place, one in enumerate(self.loads):
            if isinstance(one, Load) and one.name == each.over and not one.type:
                self.loads[place] = replace(
                    one, type=f"list[{self._item_types.get(each.var, 'Any')}]"
                )

    def _reads_world(self, each: Each, loops: tuple[_Loop, ...]) -> bool:
        """Whether a part of a loop over pure data reads the world of its item."""
        names = frozenset(targets(each.var)) | frozenset(
            name for loop in loops for name in targets(loop.var)
        )
        own = frozenset(targets(each.var))
        return any(
            set(free_names(text)) & own and not self.is_pure(text, names | _inner_names(each))
            for text in texts(each.parts)
        )

    def _rows(self, loop: _Loop, loops: tuple[_Loop, ...], depends: list[str], guard: str) -> str:
        """Load what a loop runs over; the name (or field) under which the workflow has it."""
        reads = canonical(loop.over)
        hint = naming.plural(loop.var) if loop.var.isidentifier() else _hint(reads) or "rows"
        row = None
        type_ = "list[Any]"
        if loop.fields:
            for name in sorted(loop.whole):
                loop.fields.setdefault(name, Field(name, name))
            row = Row(
                name=f"{naming.camel(_row_var(loop))}Row",
                var=loop.var,
                fields=tuple(loop.fields.values()),
                doc=f"What the canvas reads of {_article(_row_var(loop))}.",
            )
            type_ = f"list[{row.name}]"
        elif loop.var.isidentifier():
            type_ = f"list[{self._type_of_item(loop)}]"
        elif loop.whole:
            type_ = "list[tuple[Any, ...]]"
        if depends:
            return self._nested(loop, loops, row, reads, hint, type_)
        for one in self.loads:
            if isinstance(one, Let) and one.name == reads:
                break
            if isinstance(one, Load) and one.name == reads and row is None:
                return reads
        if guard:
            reads = f"{reads} if {guard} else []"
        known = [one for one in self.loads if isinstance(one, Load) and one.name == loop.over]
        if known and row is not None and not known[0].body:
            # `orders = rows.open_orders(day)` was loaded for this loop: its rows are what is read.
            old = known[0]
            uses = replace(old, row=row, type=type_)
            self.loads[self.loads.index(old)] = uses
            return old.name
        name = naming.unused(naming.identifier(hint), self.known)
        load = replace(self._load(name, reads, loop.place, type_), row=row)
        if row is not None:
            needed = [
                n
                for f in row.fields
                for n in free_names(f.reads)
                if n in self.known and n not in targets(loop.var) and n != name
            ]
            inputs = dict.fromkeys((*(p.name for p in load.inputs), *needed))
            load = replace(load, inputs=tuple(Param(n) for n in inputs))
        self.loads[-1] = load
        return name

    def _nested(
        self,
        loop: _Loop,
        loops: tuple[_Loop, ...],
        row: Row | None,
        reads: str,
        hint: str,
        type_: str,
    ) -> str:
        """A world's iterable that depends on the item of an outer loop is a field of its row."""
        outer = next(
            one for one in reversed(loops) if set(targets(one.var)) & set(free_names(reads))
        )
        made = reads
        if row is not None:
            fields = ", ".join(one.reads for one in row.fields)
            made = f"[{row.name}({fields}) for {loop.var} in {reads}]"
            self.rows.append(row)
        elif not (isinstance(expression(reads), ast.ListComp)):
            made = f"list({reads})"
        name = naming.unused(naming.identifier(hint), outer.fields)
        outer.fields[name] = Field(name, made, type_)
        return f"{_row_var(outer)}.{name}"

    rows: list[Row] = field(default_factory=list)
    """Rows inside rows."""

    def _type_of_item(self, loop: _Loop) -> str:
        return self._item_types.get(loop.var, "Any")

    _item_types: dict[str, str] = field(default_factory=dict)

    def node(self, node: Node, loops: tuple[_Loop, ...], guard: str) -> Node:
        """The canvas without the world."""
        node = replace(
            node,
            links=tuple(self.node(link, loops, guard) for link in node.links),
            errbacks=tuple(
                Errback(self._step(errback.step, loops, guard, errback), errback.style)
                for errback in node.errbacks
            ),
            options=self._options(node.options, node.place, loops, guard),
        )
        match node:
            case Step():
                return self._step(node, loops, guard, None)
            case Spread(items=items, size=size, place=place):
                return replace(
                    node,
                    items=self._items(items, place, loops, guard),
                    size=self.text(size, "size", place, loops, guard) if size else "",
                )
            case Seq(parts=parts) | Side(parts=parts):
                return replace(node, parts=tuple(self.part(p, loops, guard) for p in parts))
            case Join(header=header, body=body):
                return replace(
                    node,
                    header=self.node(header, loops, guard),  # type: ignore[arg-type]  # a Side stays one
                    body=self.node(body, loops, guard),
                )
            case Choice(test=test, then=then, orelse=orelse, place=place):
                return replace(
                    node,
                    test=self._test(test, place, loops, guard),
                    then=self.node(then, loops, _and(guard, test)),
                    orelse=self.node(orelse, loops, _and(guard, f"not ({test})")),
                )
            case Nothing(value=value, place=place):
                return replace(node, value=self.text(value, "value", place, loops, guard))
            case _:
                return node

    def _items(self, items: str, place: Place, loops: tuple[_Loop, ...], guard: str) -> str:
        """The items of a map, starmap or chunks: a comprehension over the world is a load of it."""
        return self.text(items, "items", place, loops, guard)

    def _step(
        self, step: Step, loops: tuple[_Loop, ...], guard: str, errback: Errback | None
    ) -> Step:
        task = self.tasks.get(step.task)
        positional = [p for p in task.params if p.kind == "positional"] if task else []
        fed = 0
        if errback is not None:
            fed = {"new": 3, "old": 1, "bare": 0}[errback.style]
        elif not step.immutable:
            fed = max(0, min(1, len(positional) - len(step.args)))
        args = []
        for index, arg in enumerate(step.args):
            place = index + fed
            param = positional[place] if place < len(positional) else None
            args.append(self._argument(arg, param, step.place, loops, guard))
        known = {p.name: p for p in task.params} if task else {}
        kwargs = tuple(
            (name, self._argument(value, known.get(name) or Param(name), step.place, loops, guard))
            for name, value in step.kwargs
        )
        return replace(step, args=tuple(args), kwargs=kwargs)

    def _argument(
        self, text: str, param: Param | None, place: Place, loops: tuple[_Loop, ...], guard: str
    ) -> str:
        said = self.text(text, param.name if param else "value", place, loops, guard)
        annotation = param.annotation if param else ""
        if annotation:
            for loop in loops:
                if said in targets(loop.var):
                    self._item_types.setdefault(said, annotation)
                for name, known in loop.fields.items():
                    if f"{_row_var(loop)}.{name}" == said and known.type == "Any":
                        loop.fields[name] = replace(known, type=annotation)
        return said

    def _options(
        self, options: Options, place: Place, loops: tuple[_Loop, ...], guard: str
    ) -> Options:
        changes = {
            name: self.text(value, name, place, loops, guard)
            for name in ("countdown", "expires", "queue", "priority")
            if (value := getattr(options, name))
        }
        if options.eta:
            changes["eta"] = self._moment(options.eta, place, loops, guard)
        return replace(options, **changes) if changes else options  # type: ignore[arg-type]  # all of them text

    def _moment(self, eta: str, place: Place, loops: tuple[_Loop, ...], guard: str) -> str:
        """A moment as seconds since 1970, which JSON carries as they are."""
        made = canonical(f"({eta}).timestamp()")
        said = self.text(made, "eta", place, loops, guard)
        for index, one in enumerate(self.loads):
            if isinstance(one, Load) and one.name == said and not one.type:
                self.loads[index] = replace(one, type="float")
        return said


_QUERY: Final = frozenset({"all", "filter", "values", "values_list", "select", "exclude", "get"})


def split(
    canvas: Canvas, tasks: Mapping[str, Task], constants: Mapping[str, str]
) -> tuple[Canvas, Split]:
    """The canvas with all that it reads of the world as loads at its beginning."""
    loads = [one for one in canvas.data if isinstance(one, Load)]
    variables = frozenset(record.var for load in loads for record in load.records)
    known = {p.name for p in canvas.params}
    state = Split(tasks, constants, known=known, records=variables)
    state.data(canvas.data)
    root = state.node(canvas.root, (), "")
    late = {p.name for p in canvas.after.inputs} if canvas.after is not None else set()
    data = [one for one in state.loads if one.name in late or _is_used(one, state.loads, root)]
    return replace(canvas, root=root, data=tuple(data)), state


def is_moved(reads: str) -> bool:
    """Whether an expression calls what an earlier port has moved into a ``work`` module."""
    return re.match(r"(\w+_)?work\.\w+\(", reads) is not None


def _is_used(one: Let | Load, loads: Sequence[Let | Load], root: Node) -> bool:
    """A name that nothing reads is left out; a step that may do something is kept."""
    if isinstance(one, Load) and not one.repeatable:
        return True
    later = loads[loads.index(one) + 1 :]
    for other in later:
        if isinstance(other, Let) and one.name in free_names(other.value):
            return True
        if isinstance(other, Load) and any(p.name == one.name for p in other.inputs):
            return True
    return any(one.name in free_names(text) for text in texts((root,)))


def texts(parts: tuple[Part, ...]) -> Iterator[str]:
    """Every expression of these parts."""
    for part in parts:
        match part:
            case Each(over=over, parts=inner):
                yield over
                yield from texts(inner)
            case If(test=test, parts=inner, orelse=orelse):
                yield test
                yield from texts((*inner, *orelse))
            case Node():
                yield from _texts_of(part)


def _texts_of(node: Node) -> Iterator[str]:
    for link in node.links:
        yield from _texts_of(link)
    for errback in node.errbacks:
        yield from _texts_of(errback.step)
    for name in ("countdown", "eta", "expires", "queue", "priority"):
        if value := getattr(node.options, name):
            yield value
    match node:
        case Step(args=args, kwargs=kwargs):
            yield from args
            yield from (value for _, value in kwargs)
        case Spread(items=items, size=size):
            yield items
            if size:
                yield size
        case Seq(parts=parts) | Side(parts=parts):
            yield from texts(parts)
        case Join(header=header, body=body):
            yield from texts((header, body))
        case Choice(test=test, then=then, orelse=orelse):
            yield test
            yield from texts((then, orelse))
        case Nothing(value=value):
            yield value


def rename_part(part: Part, names: Mapping[str, str]) -> Part:
    """The part with expressions in place of names, in every expression of it."""
    return _Rename(names).part(part, (), "")


class _Rename(Split):
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__({}, {})
        self._names = names

    def text(self, text: str, hint: str, place: Place, loops: Sequence[_Loop], guard: str) -> str:
        return renamed(text, self._names)

    def _test(self, test: str, place: Place, loops: Sequence[_Loop], guard: str) -> str:
        return self.text(test, "", place, loops, guard)

    def _each(self, each: Each, loops: tuple[_Loop, ...], guard: str) -> Each:
        return replace(
            each,
            over=self.text(each.over, "", each.place, loops, guard),
            parts=tuple(self.part(part, loops, guard) for part in each.parts),
        )


def _inner_names(each: Each) -> frozenset[str]:
    found: set[str] = set()
    for part in each.parts:
        if isinstance(part, Each):
            found.update(targets(part.var))
            found |= _inner_names(part)
        elif isinstance(part, If):
            for one in (*part.parts, *part.orelse):
                if isinstance(one, Each):
                    found.update(targets(one.var))
                    found |= _inner_names(one)
    return frozenset(found)


def _row_var(loop: _Loop) -> str:
    return loop.var if loop.var.isidentifier() else "row"


def _chain_of(tree: ast.expr, names: frozenset[str]) -> str:
    """``customer_id`` for ``order.customer.id`` of an item; "" for anything else."""
    parts: list[str] = []
    while isinstance(tree, ast.Attribute):
        parts.append(tree.attr)
        tree = tree.value
    if isinstance(tree, ast.Name) and tree.id in names and parts:
        return "_".join(reversed(parts))
    return ""


def _hint(text: str) -> str:
    """A name for what an expression reads: the last name in it."""
    tree = expression(text)
    match tree:
        case ast.Call(func=ast.Attribute(attr=attr)) if attr not in _QUERY:
            return attr
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.Attribute(attr=attr):
            return attr
        case ast.Name(id=name):
            return name
        case _:
            return ""


def _is_boolean(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Compare) or (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    )


def _is_simple(text: str) -> bool:
    return isinstance(
        expression(text), ast.Name | ast.Attribute | ast.Call | ast.Constant | ast.Subscript
    )


def _wrapped(text: str) -> str:
    return text if _is_simple(text) or isinstance(expression(text), ast.Compare) else f"({text})"


def _and(guard: str, test: str) -> str:
    return f"{_wrapped(guard)} and {_wrapped(test)}" if guard else test


def _inner(guard: str, loop: _Loop) -> str:
    """Inside a loop over rows the guard is that of the loop's own conditions only."""
    return ""


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "aeiou" else f"a {name}"
