"""Which expressions are many rows of a file: what a reader gives, whole or in batches."""

import ast
from typing import Final

from offcanvas.audit.module import Module

_READERS: Final = frozenset(
    {"csv.reader", "csv.DictReader", "pandas.read_csv", "pandas.read_excel", "json.load"}
    | {"ijson.items", "openpyxl.load_workbook", "xlrd.open_workbook", "pyarrow.parquet.read_table"}
    | {"polars.read_csv", "unicodecsv.DictReader", "unicodecsv.reader", "fastavro.reader"}
)
_OF_SHEETS: Final = frozenset({"iter_rows", "iter_cols", "readlines", "to_dict", "to_records"})
_TAKES: Final = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.sorted", "itertools.islice", "builtins.iter"}
    | {"itertools.batched", "more_itertools.chunked", "more_itertools.batched"}
    | {"more_itertools.ichunked", "builtins.enumerate", "toolz.partition_all"}
)
_BATCHES: Final = ("batch", "chunk", "group", "partition", "slice")
_DEPTH: Final = 6


def are_rows(module: Module, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Whether an expression is a list of rows that a reader of a file gives."""
    if depth == 0:
        return False
    if isinstance(node, ast.NamedExpr):
        return are_rows(module, node.value, depth - 1)
    if isinstance(node, ast.Call):
        name = module.name(node.func) or ""
        if name in {"builtins.list", "builtins.tuple", "builtins.sorted"} and node.args:
            given = node.args[0]
            return _gives_rows(module, given, depth - 1) or are_rows(module, given, depth - 1)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return method in {"readlines", "to_dict", "to_records"} and bool(
            method == "readlines" or _gives_rows(module, node.func.value, depth - 1)  # type: ignore[attr-defined]  # method is empty otherwise
        )
    if isinstance(node, ast.ListComp):
        return _gives_rows(module, node.generators[0].iter, depth - 1)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        return are_rows(module, node.value, depth - 1)
    return isinstance(node, ast.Name) and _is_list_of_rows(module, node, depth)


def _is_list_of_rows(module: Module, node: ast.Name, depth: int) -> bool:
    """A variable: rows, a batch of a loop over batches, or a list that rows are added to."""
    for binding in module.bindings(node.id, node) or ():
        value = binding.value
        if value is None:
            continue
        if binding.how == "is" and are_rows(module, value, depth - 1):
            return True
        if binding.how == "item of" and _gives_batches(module, value, depth - 1):
            return True
    return any(_is_row(module, added, depth - 1) for added in module.appended(node.id, node))


def _is_row(module: Module, node: ast.expr, depth: int) -> bool:
    """One row: the variable of a loop over a reader."""
    return isinstance(node, ast.Name) and any(
        b.how == "item of" and b.value is not None and _gives_rows(module, b.value, depth)
        for b in module.bindings(node.id, node) or ()
    )


def _gives_batches(module: Module, node: ast.expr, depth: int) -> bool:
    """`batched(reader, 100)`, `chunks(rows, 100)`."""
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = module.name(node.func) or ast.unparse(node.func)
    if called == "builtins.iter" and isinstance(node.args[0], ast.Lambda):
        return are_rows(module, node.args[0].body, depth)  # iter(lambda: list(islice(r, 9)), [])
    if not any(word in called.rpartition(".")[2].lower() for word in _BATCHES):
        return False
    return any(_gives_rows(module, a, depth) or are_rows(module, a, depth) for a in node.args)


def _reads_in_parts(module: Module, node: ast.expr) -> bool:
    """`pandas.read_csv(path, chunksize=1000)`: an iterable of tables."""
    return any(
        isinstance(o, ast.Call)
        and module.name(o.func) in _READERS
        and any(k.arg in {"chunksize", "iterator"} for k in o.keywords)
        for o in module.possible(node)
    )


def _gives_rows(module: Module, node: ast.expr, depth: int) -> bool:
    """An iterable of rows: a reader, a part of one, or what a function of the project makes one."""
    if depth <= 0:
        return False
    for option in module.possible(node):
        if isinstance(option, ast.Name):
            loops = [
                b.value for b in module.bindings(option.id, option) or () if b.how == "item of"
            ]
            if any(v is not None and _reads_in_parts(module, v) for v in loops):
                return True
            sources = [b.value for b in module.bindings(option.id, option) or () if b.how == "with"]
            if any(s is not None and _gives_rows(module, s, depth - 1) for s in sources):
                return True
        of_sheet = isinstance(option, ast.Attribute) and option.attr in {"rows", "values"}
        if of_sheet and _gives_rows(module, getattr(option, "value", option), depth - 1):
            return True
        if isinstance(option, ast.Subscript) and _gives_rows(module, option.value, depth - 1):
            return True
        if not isinstance(option, ast.Call):
            continue
        name = module.name(option.func) or ""
        method = option.func.attr if isinstance(option.func, ast.Attribute) else ""
        if name in _READERS or method in _OF_SHEETS:
            return True
        if name in _TAKES and option.args and _gives_rows(module, option.args[0], depth - 1):
            return True
        found = module.callee(option)
        if found is not None:
            there, function = found
            returns = [r.value for r in there.inside(function.node, ast.Return)]
            if any(r is not None and _gives_rows(there, r, depth - 2) for r in returns):
                return True
    return False
