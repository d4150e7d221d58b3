"""Three versions of a file into one, symbol by symbol: a port, what it was, what a team made of it.

Functions, classes with their methods, assignments and imports are paired by name, wherever they
stand. What only one side has changed is taken from it; what both have changed is merged by lines
(``git merge-file``), and where that clashes, nothing is merged and the symbols are named.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
from libcst.metadata import WhitespaceInclusivePositionProvider

from offcanvas.port.emit.files import sorted_imports


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged text, or None with the symbols in which the two sides clash ("" for the file)."""

    text: str | None
    clashes: tuple[str, ...] = ()


def merge(path: str, mine: str, base: str, theirs: str) -> Merged:
    """``mine``, with what has changed from ``base`` to ``theirs``."""
    if path.endswith(".py"):
        try:
            return _Files(mine, base, theirs).merged()
        except cst.ParserSyntaxError:
            pass  # what has been edited is no Python at the moment: lines are all there is
    text = by_lines(mine, base, theirs)
    return Merged(text, () if text is not None else ("",))


def by_lines(mine: str, base: str, theirs: str) -> str | None:
    """The three-way merge by lines, or None when parts of it clash or there is no git."""
    git = shutil.which("git")
    if git is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for word, text in (("mine", mine), ("base", base), ("theirs", theirs)):
            (folder / word).write_text(text)
        ended = subprocess.run(
            [git, "merge-file", "-p", "mine", "base", "theirs"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    return ended.stdout if ended.returncode == 0 else None


#: One name that an import binds: module, name in it ("" for the module itself), and alias.
_Bound = tuple[str, str, str]


@dataclass(slots=True)
class _Block:
    """The statements of a module or a class by key, in their order; ``head`` comes before them."""

    head: str
    texts: dict[str, str] = field(default_factory=dict)
    classes: dict[str, cst.ClassDef] = field(default_factory=dict)
    imports: dict[str, tuple[_Bound, ...]] = field(default_factory=dict)
    """By key of a statement: the names that it imports."""


class _Version:
    """One version of a file, whose statements are pieces of its text."""

    def __init__(self, text: str) -> None:
        wrapper = cst.MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module = wrapper.module
        self._text = text
        self._places = wrapper.resolve(WhitespaceInclusivePositionProvider)
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def _start(self, node: cst.CSTNode) -> int:
        place = self._places[node].start
        return self._lines[place.line - 1] + place.column

    def block(self, body: Sequence[cst.CSTNode], around: cst.CSTNode | None = None) -> _Block:
        """The statements of the module, or of a class: nothing between them is lost."""
        first, last = 0, len(self._text)
        if around is not None:
            place = self._places[around].end
            first, last = self._start(around), self._lines[place.line - 1] + place.column
        starts = [self._start(statement) for statement in body]
        block = _Block(self._text[first : starts[0] if starts else last])
        for statement, start, end in zip(body, starts, [*starts[1:], last], strict=True):
            key = base = _key(self.module, statement)
            number = 2
            while key in block.texts:
                key, number = f"{base} {number}", number + 1
            block.texts[key] = self._text[start:end]
            if isinstance(statement, cst.ClassDef):
                block.classes[key] = statement
            bound = tuple(_bound(statement))
            if bound:
                block.imports[key] = bound
        return block


class _Files:
    def __init__(self, mine: str, base: str, theirs: str) -> None:
        self._versions = [_Version(text) for text in (mine, base, theirs)]
        self._clashes: list[str] = []
        self._imports_changed = False

    def merged(self) -> Merged:
        blocks = [version.block(version.module.body) for version in self._versions]
        head = self._one("", *(block.head for block in blocks))
        text = head + self._join(self._merged(blocks, ""))
        if self._clashes:
            return Merged(None, tuple(dict.fromkeys(self._clashes)))
        text = self._imports(blocks, text)
        return Merged(sorted_imports(text) if self._imports_changed else text)

    # -- statements by name

    def _merged(self, blocks: Sequence[_Block], within: str) -> list[tuple[str, str]]:
        mine, base, theirs = blocks
        made: list[tuple[str, str]] = []
        for key, text in mine.texts.items():
            if key in mine.imports:
                made.append((key, text))  # put in order at the end
            elif key not in base.texts and key not in theirs.texts:
                made.append((key, text))
            elif key not in theirs.texts:
                if not _same(text, base.texts[key]):
                    self._clashes.append(within + _said(key))
            elif key not in base.texts:
                if not _same(text, theirs.texts[key]):
                    self._clashes.append(within + _said(key))
                made.append((key, text))
            else:
                made.append((key, self._both(blocks, key, within)))
        behind = ""
        for key, text in theirs.texts.items():
            known = {one for one, _ in made}
            if key in known or key in theirs.imports:
                behind = key if key in known else behind
                continue
            if key in base.texts:
                if not _same(text, base.texts[key]):
                    self._clashes.append(within + _said(key))  # it was removed, and has changed
                continue
            places = [place for place, (one, _) in enumerate(made) if one == behind]
            at = places[0] + 1 if places else self._first(made, mine)
            made.insert(at, (key, text))
            behind = key
        return made

    def _first(self, made: Sequence[tuple[str, str]], mine: _Block) -> int:
        """The place behind the imports and the docstring."""
        heads = [n for n, (key, _) in enumerate(made) if key in mine.imports or key == "doc"]
        return heads[-1] + 1 if heads else 0

    def _both(self, blocks: Sequence[_Block], key: str, within: str) -> str:
        mine, base, theirs = (block.texts[key] for block in blocks)
        if all(key in block.classes for block in blocks) and not (
            _same(mine, base) or _same(theirs, base) or _same(mine, theirs)
        ):
            return self._class(blocks, key, within)
        return self._one(within + _said(key), mine, base, theirs)

    def _one(self, name: str, mine: str, base: str, theirs: str) -> str:
        if _same(theirs, base) or _same(mine, theirs):
            return mine
        if _same(mine, base):
            return theirs
        made = by_lines(mine, base, theirs)
        if made is None:
            self._clashes.append(name)
        return made or mine

    def _class(self, blocks: Sequence[_Block], key: str, within: str) -> str:
        """A class that both sides have changed: its head, and its members by name."""
        inner: list[_Block] = []
        for version, block in zip(self._versions, blocks, strict=True):
            node = block.classes[key]
            if not isinstance(node.body, cst.IndentedBlock):
                return self._one(within + _said(key), *(b.texts[key] for b in blocks))
            inner.append(version.block(node.body.body, node))
        name = within + _said(key)
        head = self._one(name, *(one.head for one in inner))
        return head + self._join(self._merged(inner, f"{name}."))

    def _join(self, parts: Sequence[tuple[str, str]]) -> str:
        return "".join(text if text.endswith("\n") else f"{text}\n" for _, text in parts)

    def _imports(self, blocks: Sequence[_Block], text: str) -> str:
        """The merged text with the imports that have come, and without those that have gone."""
        mine, base, theirs = (
            {one for found in block.imports.values() for one in found} for block in blocks
        )
        made = _Version(text)
        block = made.block(made.module.body)
        rest = "".join(one for key, one in block.texts.items() if key not in block.imports)
        used = set(re.findall(r"[^\W\d]\w*", rest))
        come = {one for one in theirs - base - mine if _name(one) in used}
        gone = {one for one in (base - theirs) & mine if _name(one) not in used}
        if not come and not gone:
            return text
        self._imports_changed = True
        tree = cst.parse_module(text).visit(_Without(gone))
        inside = {
            one
            for key, found in blocks[2].imports.items()
            if key.startswith("with ")
            for one in found
        }
        return (
            tree.visit(_With([_written(one) for one in sorted(come & inside)], within=True))
            .visit(_With([_written(one) for one in sorted(come - inside)], within=False))
            .code
        )


def _same(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def _said(key: str) -> str:
    return key.partition(" ")[2] or key


def _key(module: cst.Module, statement: cst.CSTNode) -> str:
    """What a statement is known by: its kind, and the name that it binds."""
    match statement:
        case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
            return f"def {name.value}"
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString())]):
            return "doc"
        case cst.SimpleStatementLine(body=[cst.Assign(targets=targets)]):
            return f"= {', '.join(module.code_for_node(t.target) for t in targets)}"
        case cst.SimpleStatementLine(body=[cst.AnnAssign(target=target)]):
            return f"= {module.code_for_node(target)}"
        case cst.With(items=items):
            return f"with {module.code_for_node(items[0].item)}"
        case cst.If(test=test):
            return f"if {module.code_for_node(test)}"
        case _:
            bare = (
                statement.with_changes(leading_lines=[])
                if hasattr(statement, "leading_lines")
                else statement
            )
            return f"line {module.code_for_node(bare).strip()}"


def _bound(statement: cst.CSTNode) -> Iterator[_Bound]:
    """The names that an import binds, or a ``with`` over nothing but imports."""
    match statement:
        case cst.With(body=cst.IndentedBlock(body=lines)):
            plain = [
                isinstance(line, cst.SimpleStatementLine)
                and isinstance(line.body[0], cst.Import | cst.ImportFrom | cst.Pass)
                for line in lines
            ]
            if all(plain):
                for line in lines:
                    yield from _bound(line)
        case cst.SimpleStatementLine(body=[cst.Import(names=names)]):
            for one in names:
                yield _dotted(one.name), "", _alias(one)
        case cst.SimpleStatementLine(body=[cst.ImportFrom(module=module, names=names)]):
            if not isinstance(names, cst.ImportStar):
                for one in names:
                    yield _dotted(module), _dotted(one.name), _alias(one)
        case _:
            pass


def _dotted(node: cst.CSTNode | None) -> str:
    return "" if node is None else cst.Module([]).code_for_node(node)


def _alias(alias: cst.ImportAlias) -> str:
    return "" if alias.asname is None else _dotted(alias.asname.name)


def _name(bound: _Bound) -> str:
    module, name, alias = bound
    return alias or name or module.partition(".")[0]


def _written(bound: _Bound) -> str:
    module, name, alias = bound
    said = f" as {alias}" if alias else ""
    return f"from {module} import {name}{said}" if name else f"import {module}{said}"


class _Without(cst.CSTTransformer):
    """Takes names out of imports, and imports out that have none left."""

    def __init__(self, gone: set[_Bound]) -> None:
        self._gone = gone

    def leave_SimpleStatementLine(  # noqa: N802 - LibCST's name
        self,
        original_node: cst.SimpleStatementLine,
        updated_node: cst.SimpleStatementLine,
    ) -> cst.SimpleStatementLine | cst.RemovalSentinel:
        if len(updated_node.body) != 1:
            return updated_node
        statement = updated_node.body[0]
        if not isinstance(statement, cst.Import | cst.ImportFrom):
            return updated_node
        if isinstance(statement.names, cst.ImportStar):
            return updated_node
        module = _dotted(statement.module) if isinstance(statement, cst.ImportFrom) else ""
        kept = [one for one in statement.names if not self._has(one, module, statement)]
        if not kept:
            return cst.RemoveFromParent()
        if len(kept) == len(statement.names):
            return updated_node
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(body=[statement.with_changes(names=kept)])

    def _has(
        self, one: cst.ImportAlias, module: str, statement: cst.Import | cst.ImportFrom
    ) -> bool:
        name = _dotted(one.name)
        whole = isinstance(statement, cst.Import)
        return ((name, "", _alias(one)) if whole else (module, name, _alias(one))) in self._gone


class _With(cst.CSTTransformer):
    """Puts imports behind the last one of the module, or of its ``with`` (``within``)."""

    def __init__(self, lines: list[str], *, within: bool) -> None:
        self._lines = lines
        self._within = within

    def leave_With(  # noqa: N802 - LibCST's name
        self, original_node: cst.With, updated_node: cst.With
    ) -> cst.With:
        if not self._within or not self._lines or not [*_bound(original_node)]:
            return updated_node
        if not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        more = [cst.parse_statement(line) for line in self._lines]
        self._lines = []
        body = updated_node.body.with_changes(body=[*updated_node.body.body, *more])
        return updated_node.with_changes(body=body)

    def leave_Module(  # noqa: N802 - LibCST's name
        self,
        original_node: cst.Module,
        updated_node: cst.Module,
    ) -> cst.Module:
        if not self._lines:
            return updated_node
        body = list(updated_node.body)
        places = [
            n
            for n, one in enumerate(body)
            if isinstance(one, cst.SimpleStatementLine) and [*_bound(one)]
        ]
        documented = bool(body) and _key(updated_node, body[0]) == "doc"
        at = places[-1] + 1 if places else int(documented)
        more = [cst.parse_statement(line) for line in self._lines]
        return updated_node.with_changes(body=[*body[:at], *more, *body[at:]])
