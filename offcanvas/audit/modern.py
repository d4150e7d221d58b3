"""Rewrite a source of a newer Python into the grammar of the Python that runs the tool.

Lines stay where they are, because findings point at them; columns may move within a rewritten
line. The meaning for an audit is kept: which names are called, bound, caught and imported.

    except A, B:            PEP 758   ->  except (A, B):
    type X[T] = ...         PEP 695   ->  X = ...
    def f[T: int = str](x)  PEP 695   ->  def f(x)
    t"..."                  PEP 750   ->  f"..."
    f"{x["a"]}"             PEP 701   ->  ("", (x["a"]))
    lazy import x           PEP 810   ->  import x
    [*x for x in y]         PEP 798   ->  [x for x in y]
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import libcst as cst

_BRACKET: Final = re.compile(r"[(){}\[\]]")
_BRACKETS: Final = 200
"""As many brackets within each other as Python's own parser takes."""
_STACK: Final = 256 * 1024 * 1024
"""Bytes of address space for LibCST's recursion; what is not used is not taken."""
_SIZE: Final = 1_000_000
_LINE: Final = 5_000
"""Characters of a file and of a line; LibCST takes minutes for generated lines of megabytes."""
_NESTING: Final = 6
"""How deep strings within strings are followed; deeper is reported as unreadable."""


class GrammarError(Exception):
    """Not Python of any version that LibCST knows."""


def to_running_grammar(text: str) -> str:
    """`text` with the newer syntax rewritten. Raises GrammarError."""
    deepest = _nesting(text)
    if deepest > _BRACKETS:
        raise GrammarError(f"{deepest} brackets within each other")
    if len(text) > _SIZE or max(map(len, text.splitlines()), default=0) > _LINE:
        raise GrammarError("generated data")
    # LibCST's parser recurses on the stack of its thread and takes the whole process down when
    # that is full, so it gets a thread with a large one.
    before = threading.stack_size(_STACK)
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_rewritten, text).result()
    finally:
        threading.stack_size(before)


def _rewritten(text: str) -> str:
    try:
        for _ in range(_NESTING):
            # A rewritten string may hold another one, which the next pass reaches.
            older = cst.parse_module(text).visit(_Older()).code
            if older == text:
                break
            text = older
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError) as error:
        raise GrammarError(str(error)) from error
    return text


def _nesting(text: str) -> int:
    """How deep brackets are nested; those in strings are counted too, which can only overstate."""
    deepest = depth = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match[0] in "([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


_String = cst.FormattedString | cst.TemplatedString
_Generic = TypeVar("_Generic", cst.FunctionDef, cst.ClassDef)
_Comp = TypeVar("_Comp", cst.ListComp, cst.SetComp, cst.GeneratorExp)


class _Older(cst.CSTTransformer):
    """Method names are LibCST's: leave_ and the node's class."""

    def leave_ExceptHandler(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.ExceptHandler, updated_node: cst.ExceptHandler
    ) -> cst.ExceptHandler:
        return updated_node.with_changes(type=_in_parentheses(updated_node.type))

    def leave_ExceptStarHandler(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.ExceptStarHandler, updated_node: cst.ExceptStarHandler
    ) -> cst.ExceptStarHandler:
        return updated_node.with_changes(type=_in_parentheses(updated_node.type))

    def leave_FunctionDef(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        return _without_type_parameters(updated_node)

    def leave_ClassDef(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef:
        return _without_type_parameters(updated_node)

    def leave_TypeAlias(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.TypeAlias, updated_node: cst.TypeAlias
    ) -> cst.Assign:
        lines = (
            _code(updated_node.type_parameters).count("\n") if updated_node.type_parameters else 0
        )
        target = cst.AssignTarget(
            updated_node.name,
            whitespace_before_equal=cst.SimpleWhitespace("\\\n" * lines or " "),
        )
        return cst.Assign([target], updated_node.value)

    def leave_LazyImport(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.LazyImport, updated_node: cst.LazyImport
    ) -> cst.Import:
        return cst.Import(updated_node.names)

    def leave_LazyImportFrom(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.LazyImportFrom, updated_node: cst.LazyImportFrom
    ) -> cst.ImportFrom:
        return cst.ImportFrom(
            updated_node.module,
            updated_node.names,
            updated_node.relative,
            lpar=updated_node.lpar,
            rpar=updated_node.rpar,
        )

    def leave_ListComp(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.ListComp, updated_node: cst.ListComp
    ) -> cst.ListComp:
        return _without_star(updated_node)

    def leave_SetComp(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.SetComp, updated_node: cst.SetComp
    ) -> cst.SetComp:
        return _without_star(updated_node)

    def leave_GeneratorExp(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.GeneratorExp, updated_node: cst.GeneratorExp
    ) -> cst.GeneratorExp:
        return _without_star(updated_node)

    def visit_ConcatenatedString(  # noqa: N802  (LibCST's naming)
        self, node: cst.ConcatenatedString
    ) -> bool:
        return not _is_newer(node)

    def leave_ConcatenatedString(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.ConcatenatedString, updated_node: cst.ConcatenatedString
    ) -> cst.BaseExpression:
        return _as_tuple(original_node) if _is_newer(original_node) else updated_node

    def leave_FormattedString(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        return _as_tuple(original_node) if _is_newer(original_node) else updated_node

    def leave_TemplatedString(  # noqa: N802  (LibCST's naming)
        self, original_node: cst.TemplatedString, updated_node: cst.TemplatedString
    ) -> cst.BaseExpression:
        return _as_tuple(original_node)


def _in_parentheses(caught: cst.BaseExpression | None) -> cst.BaseExpression | None:
    if isinstance(caught, cst.Tuple) and not caught.lpar:
        return caught.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return caught


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _without_type_parameters(node: _Generic) -> _Generic:
    if node.type_parameters is None:
        return node
    lines = _code(node.type_parameters).count("\n")
    # A backslash and a line end keep the lines below where they are.
    kept = cst.SimpleWhitespace("\\\n" * lines)
    return node.with_changes(type_parameters=None, whitespace_after_name=kept)


def _without_star(node: _Comp) -> _Comp:
    element = node.elt
    return node.with_changes(elt=element.value) if isinstance(element, cst.StarredElement) else node


def _is_newer(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.ConcatenatedString):
        return _is_newer(node.left) or _is_newer(node.right)
    if isinstance(node, cst.TemplatedString):
        return True
    if not isinstance(node, cst.FormattedString):
        return False
    quote = node.quote
    for part in node.parts:
        if isinstance(part, cst.FormattedStringExpression):
            code = _code(part)
            if quote in code or "\\" in code or "#" in code:
                return True
            if "\n" in code and len(quote) == 1:
                return True
    return False


def _as_tuple(node: cst.BaseExpression) -> cst.BaseExpression:
    """`("", (a), (b))` with the line ends of the string between them."""
    return cst.parse_expression('("",' + "".join(_elements(node)) + ")")


def _elements(node: cst.BaseExpression) -> list[str]:
    if isinstance(node, cst.ConcatenatedString):
        between = "\n" * _code(node.whitespace_between).count("\n")
        return [*_elements(node.left), between, *_elements(node.right)]
    if not isinstance(node, _String):
        return ["\n" * _code(node).count("\n")]
    return [element for part in node.parts for element in _part(part)]


def _part(part: cst.CSTNode) -> list[str]:
    if isinstance(part, cst.FormattedStringExpression | cst.TemplatedStringExpression):
        before = _code(part.whitespace_before_expression)
        spec = [element for inner in part.format_spec or () for element in _part(inner)]
        # A comment may end the expression, so the parenthesis closes on what follows it.
        after = _code(part.whitespace_after_expression)
        return [f"({before}{_code(part.expression)}{after})", ",", *spec]
    return ["\n" * _code(part).count("\n")]
