"""The example of the design, from its source to what a team keeps."""

import ast
from pathlib import Path

import pytest

from tests.port.project import Folder

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder.of_example("shop", tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of_example("shop", tmp_path_factory.mktemp("ported"))
    ended = folder.port(".", "--to", "temporal", *folder.all_samples())
    assert (ended.code, ended.err) == (1, "")
    return folder


def test_what_is_emitted_is_as_kept(shop: Folder) -> None:
    """Looked at by people; `python -m tests.port` writes it anew."""
    ended = shop.port(".", "--to", "temporal", "--diff", *shop.all_samples())
    assert ended.code == 1
    assert ended.out == (GOLDEN / "shop_temporal.diff").read_text()


def test_a_diff_writes_nothing(shop: Folder) -> None:
    shop.port("shop.tasks:nightly", "--to", "temporal", "--diff")
    assert sorted(p.name for p in shop.path.iterdir() if p.is_dir()) == ["shop"]


def test_the_port_is_typed_and_formatted(ported: Folder) -> None:
    typed = ported.run("-m", "mypy", "--strict", "shop_temporal")
    assert typed.code == 0, typed.out
    formatted = ported.run("-m", "ruff", "format", "--check", "--line-length=100", "shop_temporal")
    assert formatted.code == 0, formatted.out


BLOCKED = """
import importlib, pkgutil, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"celery", "kombu", "offcanvas"}:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
import shop_temporal
names = [m.name for m in pkgutil.iter_modules(shop_temporal.__path__)]
for name in names:
    importlib.import_module(f"shop_temporal.{name}")
print(len(names))
"""


def test_the_port_imports_without_celery(ported: Folder) -> None:
    ended = ported.run("-c", BLOCKED)
    assert ended.code == 0, ended.err
    assert int(ended.out) >= 6


def test_a_second_run_changes_nothing(ported: Folder) -> None:
    before = {p: p.read_text() for p in ported.path.rglob("*.py")}
    assert "return work.fetch(url)" in before[ported.path / "shop/tasks.py"]
    again = ported.port(".", "--to", "temporal", *ported.all_samples())
    assert again.code == 1, again.err
    assert {p: p.read_text() for p in ported.path.rglob("*.py")} == before


def test_what_a_user_has_edited_is_not_overwritten(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    folder.write("shop_temporal/policies.py", "# mine\n")
    ended = folder.port("shop.tasks:previews", "--to", "temporal")
    assert ended.code == 2
    assert "is not from a port" in ended.err
    assert "shop_temporal/policies.py" in ended.err
    assert (folder.path / "shop_temporal/policies.py").read_text() == "# mine\n"
    assert not (folder.path / "shop_temporal/workflows.py").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a TARGET"),
        (["shop.tasks:nope"], "has no function nope"),
        (["shop.nowhere:nightly"], "there is no module shop.nowhere"),
        (["shop/tasks.py:3"], "no function is at that line"),
        (["nonsense"], "write it as"),
        (["shop.tasks:fetch"], "builds no canvas"),
        (["shop.tasks:nightly", "--sample", "[1]"], "an object of keyword arguments"),
        (["shop.tasks:nightly", "--sample", "{"], "not JSON"),
        (["shop.tasks:nightly", "--sample", '{"dya": 1}'], "there is nightly(day)"),
        (["shop.tasks:nightly", "--out", "a b"], "not the name of a Python package"),
        (["shop.tasks:nightly", "--out", "a/b"], "not the name of a Python package"),
        (["shop.tasks:nightly", "--out", "class"], "not the name of a Python package"),
        (["shop.tasks:nightly", "--out", "json"], "Python has a module of this name"),
        (["shop.tasks:nightly", "--out", "beside"], "beside.py is there, and a package of its"),
        (["shop.tasks:nightly", "--write"], "--write goes with --finish"),
        (
            ["shop.tasks:nightly", "--finish", "shop_temporal"],
            "--finish does nothing with a TARGET",
        ),
        (["--finish", "shop_temporal", "--diff", "--write"], "--finish does nothing with --diff"),
        (["--explain", "PORT110", "--out", "a", "--check"], "with --out and --check: leave one"),
        (["shop.tasks:nightly", "--check", "--diff"], "--check does nothing with --diff"),
        (
            ["shop.tasks:nightly", "--check", "--format", "json"],
            "--check does nothing with --format",
        ),
        (["--explain", "PORT999"], "no such code"),
    ],
)
def test_misuse_is_one_line_and_exit_2(shop: Folder, arguments: list[str], said: str) -> None:
    shop.write("beside.py", "")
    ended = shop.port(*arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_a_place_in_a_source_that_is_not_imported(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    source = (folder.path / "shop/tasks.py").read_text()
    line = next(n for n, t in enumerate(source.splitlines(), 1) if "return chord(" in t)
    folder.write("shop/tasks.py", f"raise SystemExit('imported')\n{source}")
    ended = folder.port(f"shop/tasks.py:{line + 1}", "--to", "temporal", "--diff")
    assert ended.code == 1, ended.err
    assert "class Nightly:" in ended.out


def test_a_file_that_is_gone_is_told_by_check(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    assert folder.port("shop.tasks:previews", "--to", "temporal").code == 1
    (folder.path / "shop_temporal/policies.py").unlink()
    ended = folder.port("shop.tasks:previews", "--to", "temporal", "--check")
    assert ended.code == 1
    assert ended.out == (
        "shop_temporal/policies.py: was emitted and is no longer there; restore it, or run port "
        "again\n"
    )


def test_an_edit_is_merged_with_what_is_emitted_now(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    assert folder.port("shop.tasks:previews", "--to", "temporal").code == 1
    assert folder.port("shop.tasks:previews", "--to", "temporal", "--check").code == 0
    workflows = (folder.path / "shop_temporal/workflows.py").read_text()
    folder.write(
        "shop_temporal/workflows.py",
        workflows.replace("class Previews:", "class Previews:  # mine")
        + "\n\ndef own() -> None:\n    pass\n",
    )
    tasks = (folder.path / "shop/tasks.py").read_text()
    folder.write("shop/tasks.py", tasks.replace("(128, 256)", "(128, 256, 512)"))
    apart = folder.port("shop.tasks:previews", "--to", "temporal", "--check")
    assert apart.code == 1
    assert "shop_temporal/workflows.py: the canvas and its port have moved apart" in apart.out
    assert folder.port("shop.tasks:previews", "--to", "temporal").code == 1
    merged = (folder.path / "shop_temporal/workflows.py").read_text()
    assert "class Previews:  # mine" in merged
    assert merged.endswith("def own() -> None:\n    pass\n")
    assert "(128, 256, 512)" in merged


def test_an_edit_in_the_way_leaves_all_as_it_is(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    folder.port("shop.tasks:previews", "--to", "temporal")
    workflows = (folder.path / "shop_temporal/workflows.py").read_text()
    mine = workflows.replace("(128, 256)", "(128, 300)")
    folder.write("shop_temporal/workflows.py", mine)
    tasks = (folder.path / "shop/tasks.py").read_text()
    folder.write("shop/tasks.py", tasks.replace("(128, 256)", "(128, 512)"))
    ended = folder.port("shop.tasks:previews", "--to", "temporal")
    assert ended.code == 2
    said = "shop_temporal/workflows.py (Previews.run): was edited where the port has changed"
    assert said in ended.err
    assert (folder.path / "shop_temporal/workflows.py").read_text() == mine


WIDE = """
from celery import Celery, chord, group

app = Celery("stall", broker="memory://")

@app.task
def pick(item: str, shelf: str) -> str:
    return item

@app.task
def pack(items: list[str]) -> str:
    return "".join(items)

def fixed(shelf: str):
    return group(pick.s(item, shelf) for item in ("a", "b"))

def ranged(shelf: str):
    return group(pick.s(str(n), shelf) for n in range(5000))

def given(items: list[str], shelf: str):
    return chord([pick.s(item, shelf) for item in items if item], pack.s())

def mixed(items: list[str], shelf: str):
    return group([pick.s("first", shelf), *[pick.s(item, shelf) for item in items]])

def compared(items: list[str]):
    return group(pick.s(item, items[0]) for item in items)
"""


def test_what_may_be_wide_is_put_in_slices(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", WIDE)
    ended = folder.port(".", "--to", "temporal", "--out", "out")
    assert ended.code == 1, ended.err
    workflows = " ".join((tmp_path / "out/workflows.py").read_text().split())
    assert "await in_slices( RangedNs, range(5000), lambda part: RangedNsInput(part," in workflows
    assert "await in_slices( GivenItems, given.items, lambda part: GivenItemsInput(" in workflows
    assert "for item in given.items if item" in workflows
    assert workflows.count("in_slices(") == 2
    left = [line for line in ended.out.splitlines() if "not put in slices" in line]
    assert [line.split(": ")[2] for line in left] == ["mixed", "compared"]
    typed = folder.run("-m", "mypy", "--strict", "out")
    assert typed.code == 0, typed.out


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_project_without_annotations_has_a_port_that_passes(tmp_path: Path, engine: str) -> None:
    """What is called has no types; mypy is told so in the files that call it, and no others.

    From 3.12 on ast writes one kind of quotes inside of itself, which older Pythons do not read.
    """
    folder = Folder.of_example("shop", tmp_path)
    for name in ("rows.py", "tasks.py"):
        file = folder.path / "shop" / name
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.returns = None
            elif isinstance(node, ast.arg):
                node.annotation = None
        file.write_text(ast.unparse(tree))
    ended = folder.port(".", "--to", engine, *folder.all_samples())
    assert ended.code == 1, ended.err
    assert folder.type_errors(f"shop_{engine}") == []
    told = [
        f.name for f in (folder.path / f"shop_{engine}").glob("*.py") if "# mypy:" in f.read_text()
    ]
    assert told == ["activities.py" if engine == "temporal" else "tasks.py"]
