"""The newest grammar is read whichever Python runs the tests, and lines stay where they are."""

import ast

import pytest

from offcanvas.audit import modern
from offcanvas.audit.rules import all_rules
from offcanvas.audit.scan import scan
from offcanvas.audit.syntax import DEEPEST, UnreadableError, parse

NEWER = {
    "except A, B:": "try:\n    pass\nexcept A, B:\n    pass\n",
    "except* A, B:": "try:\n    pass\nexcept* A, B:\n    pass\n",
    "type alias": "type X[\n    T: int = str,\n    *Ts, **P\n] = list[T]\n",
    "generic function": "def f[\n    T\n](x: T) -> T: pass\n",
    "generic class": "class A[T: (int, str)](B): pass\n",
    "template string": "x = t'{a} {b!r:>{w}}'\n",
    "quotes in f-string": "x = f'{a['b']}'\n",
    "nested f-strings": "x = f'{f'{f'{1}'}'}'\n",
    "backslash in f-string": "x = f'{'\\n'.join(a)}'\n",
    "line end in f-string": "x = f'{\n    a\n}'\n",
    "comment in f-string": "x = f'''{\n    a  # why\n}\n'''\n",
    "among other strings": "x = ('a'\n     f'{b['c']}'\n     '''d\n'''\n     f'{e}')\n",
    "lazy import": "lazy import a.b as c\nlazy from a import (b,\n    c)\n",
    "unpacking in comprehension": "x = [*a for a in b]\ny = {*a for a in b}\nz = (*a for a in b)\n",
}


@pytest.mark.parametrize("name", NEWER)
def test_newer_syntax(name: str) -> None:
    source = NEWER[name] + "after = 1\n"
    older = modern.to_running_grammar(source)
    tree = ast.parse(older, feature_version=(3, 11))
    last = tree.body[-1]
    assert isinstance(last, ast.Assign)
    assert last.lineno == source.count("\n")
    assert parse(source.encode()).body[-1].lineno == source.count("\n")


def test_what_is_called_and_caught_stays() -> None:
    tree = parse(b"try:\n    x = t'{task.delay(1)}'\nexcept A, B:\n    pass\n")
    assert "task.delay(1)" in ast.unparse(tree)
    assert "(A, B)" in ast.unparse(tree)


def test_old_syntax_is_not_touched() -> None:
    source = "x = f'{a}' 'b'\ntry:\n    pass\nexcept (A, B) as e:\n    pass\n"
    assert modern.to_running_grammar(source) == source


@pytest.mark.parametrize(
    "source",
    [
        b"print 'python 2'\n",
        b"def f(:\n",
        b"x = '\xff'\n",
        b"# coding: klingon\n",
        b"x = 1\0\n",
        b"x = " + b"(" * 4000 + b")" * 4000,
        b"try: pass\nexcept A, B: pass\nx = " + b"1 + " * 5000 + b"1\n",
    ],
    ids=["python 2", "broken", "bytes", "unknown coding", "null", "nested", "generated"],
)
def test_what_cannot_be_read_says_why_in_one_line(source: bytes) -> None:
    with pytest.raises(UnreadableError) as error:
        parse(source)
    assert str(error.value)
    assert "\n" not in str(error.value)


def test_other_encodings_are_read() -> None:
    tree = parse("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"))
    assert "é" in ast.unparse(tree)
    assert parse("\ufeffx = 1\n".encode()).body[0].lineno == 1


HEAD = "from celery import shared_task\n\n@shared_task\ndef f():\n    "
NESTED = {
    "a sum": ("x = ", "1 + ", "1"),
    "a chain of calls": ("x = f", "()", ""),
    "signatures": ("x = f.s(1)", " | f.s(2)", ""),
    "subscripts": ("x = y", "[0]", ""),
    "elif": ("if a:\n        f.delay()\n", "    elif b:\n        f.delay()\n", ""),
    "conditions": ("x = ", "1 if a else ", "2"),
    "functions": ("x = ", "lambda: ", "f.delay()"),
    "signs": ("x = ", "-", "1"),
}


@pytest.mark.parametrize(("start", "level", "end"), NESTED.values(), ids=NESTED)
def test_deep_code_is_audited_and_deeper_code_is_said_not_to_be_read(tmp_path, start, level, end):
    rules = list(all_rules().values())
    deep, deeper = tmp_path / "deep.py", tmp_path / "deeper.py"
    deep.write_text(HEAD + start + level * (DEEPEST - 20) + end + "\n", encoding="utf-8")
    deeper.write_text(HEAD + start + level * DEEPEST + end + "\n", encoding="utf-8")
    assert [task.name for task in scan(deep, rules).tasks] == ["deep.f"]
    ((path, said),) = scan(deeper, rules).unreadable
    assert (path, said) == ("deeper.py", f"nested more than {DEEPEST} levels deep")
