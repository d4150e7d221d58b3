"""Random canvases of the differential suite as builders in Python, with loops and conditions.

A builder takes ``items`` and ``flag``. Each spec becomes statements: a name for each part,
callbacks by ``link`` and ``link_error``, chains by call, pipe or growth, groups of lists,
comprehensions over ``items``, parts that are only there when ``flag`` is set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.differential import specs
from tests.differential.tasks import REGISTRY

HEAD = f'''"""Builders that were made up."""

from celery import chain, chord, group

from tests.differential.tasks import app, {", ".join(sorted(REGISTRY))}
'''


@dataclass
class Writer:
    """Writes one builder."""

    name: str
    choices: tuple[int, ...] = ()
    """What decides between equal ways to write a part; used up one by one."""
    lines: list[str] = field(default_factory=list)
    count: int = 0
    turn: int = 0

    def text(self, canvas: object) -> str:
        made = self.part(canvas)
        body = "\n".join(f"    {line}" for line in [*self.lines, f"return {made}"])
        return f"def {self.name}(items, flag):\n{body}\n"

    def choose(self, ways: int) -> int:
        if not self.choices:
            return 0
        self.turn += 1
        return self.choices[self.turn % len(self.choices)] % ways

    def fresh(self) -> str:
        self.count += 1
        return f"part_{self.count}"

    def named(self, text: str) -> str:
        name = self.fresh()
        self.lines.append(f"{name} = {text}")
        return name

    def part(self, spec: object) -> str:
        match spec:
            case specs.Call():
                return self.call(spec)
            case specs.Items():
                return self.items(spec)
            case specs.Many(word="group"):
                return self.errbacks(self.group(spec.parts), spec.errbacks)
            case specs.Many():
                return self.errbacks(self.chain(spec), spec.errbacks)
            case specs.Chorded():
                header = self.members(spec.header)
                body = self.part(spec.body)
                return self.errbacks(self.named(f"chord({header}, {body}, app=app)"), spec.errbacks)
        raise TypeError(spec)

    def call(self, spec: specs.Call) -> str:
        method = "si" if spec.immutable else "s"
        given = [*map(repr, spec.args), *(f"{k}={v!r}" for k, v in spec.kwargs)]
        text = f"{spec.task}.{method}({', '.join(given)})"
        if spec.options:
            text += f".set({', '.join(f'{name}={value!r}' for name, value in spec.options)})"
        if not (spec.links or spec.errbacks):
            return text
        name = self.named(text)
        for link in spec.links:
            self.lines.append(f"{name}.link({self.call(link)})")
        return self.errbacks(name, spec.errbacks)

    def items(self, spec: specs.Items) -> str:
        plain = list(spec.items)
        if spec.word == "map":
            return f"echo.map({plain!r})"
        pairs = [(item,) for item in plain]
        return f"echo.chunks({pairs!r}, 2)" if spec.word == "chunks" else f"echo.starmap({pairs!r})"

    def errbacks(self, name: str, errbacks: tuple) -> str:
        if errbacks and not name.isidentifier():
            name = self.named(name)
        for one in errbacks:
            if self.choose(2):
                self.lines.append(f"{name}.link_error({self.call(one)})")
            else:
                name = self.named(f"{name}.on_error({self.call(one)})")
        return name

    def members(self, parts: tuple) -> str:
        """A list of members: written out, filled by statements, or with a loop."""
        made = [self.part(part) for part in parts]
        way = self.choose(4)
        if way == 0:
            return f"[{', '.join(made)}]"
        name = self.named("[]")
        if way == 1:
            self.lines += [f"{name}.append({one})" for one in made]
        elif way == 2:
            self.lines += [f"{name} += [{one}]" for one in made]
            self.lines += ["for item in items:", f"    {name}.append(echo.s(item))"]
        else:
            self.lines += [f"{name}.append({one})" for one in made]
            self.lines += ["if flag:", f"    {name}.append(echo.si('flag'))"]
        return name

    def group(self, parts: tuple) -> str:
        way = self.choose(3)
        if way == 1 and not parts:
            return "group(echo.s(item) for item in items)"
        members = self.members(parts)
        if way == 2:
            return f"group(*{members}, app=app)"
        return f"group({members}, app=app)"

    def chain(self, spec: specs.Many) -> str:
        made = [self.part(part) for part in spec.parts]
        if spec.how == "pipe" and made:
            name = self.named(made[0])
            for one in made[1:]:
                self.lines.append(f"{name} |= {one}")
            if self.choose(2):
                self.lines += ["if flag:", f"    {name} |= echo.s('more')"]
            return name
        if spec.how == "raw":
            return self.named(f"chain({', '.join([*made, 'app=app'])})")
        if self.choose(2):
            name = self.named(f"[{', '.join(made)}]")
            return self.named(f"chain(*{name})")
        return self.named(f"chain({', '.join(made)})")


choices = st.lists(st.integers(0, 11), min_size=1, max_size=8).map(tuple)


def source(name: str, canvas: object, chosen: tuple[int, ...]) -> str:
    """The builder's source, without its imports."""
    return Writer(name, chosen).text(canvas)


def parts_of(canvas: object) -> Iterator[object]:
    """A drawn canvas and all that it is made of."""
    yield canvas
    match canvas:
        case specs.Call():
            inner: Sequence[object] = (*canvas.links, *canvas.errbacks)
        case specs.Many():
            inner = (*canvas.parts, *canvas.errbacks)
        case specs.Chorded():
            inner = (*canvas.header, canvas.body, *canvas.errbacks)
        case _:
            inner = ()
    for part in inner:
        yield from parts_of(part)


def writable(canvas: object) -> bool:
    """Whether a builder can be written: a task that another one revokes has an id of its run."""
    return not any(isinstance(part, specs.Revoked) for part in parts_of(canvas))
