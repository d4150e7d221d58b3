"""The reference ported by program, and the page that lays it beside the ports by hand."""

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

from shared.variants import VARIANTS
from tests.port.project import Folder

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "port-by-hand.md"
NAMES = [variant.name for variant in VARIANTS]
SHOWN = ("chord_by_station", "error_in_header")
#: Files of flows, workflows, steps and what both need, by hand and by program.
BY_HAND = {
    "temporal": ("activities", "inputs", "options", "fan_out", "failures", "heartbeat", *NAMES),
    "prefect": ("tasks", "options", "fan_out", *NAMES),
}
BY_PROGRAM = {
    "temporal": (
        *("workflows", "activities", "inputs", "policies", "fan_out", "failures", "heartbeats"),
    ),
    "prefect": ("flows", "tasks", "options", "fan_out"),
}
MOST = 1.3
HEAD = """# Ported by program, and by hand

The reference has its ten canvases as Temporal workflows and Prefect flows that were written by
hand, and `offcanvas port` writes them from the same builders. On real servers both do the same: the
same answers, the same bytes in every file, the same steps executed (`tests/equivalence`,
`tests/port/test_reference_running.py`). This page lays two of them side by side.

What differs: the builder calls `steps.list_stations(run_id)`, so that the port has a step that
does; those by hand begin with the step that assigns the stations, which Celery's caller does before
it sends the canvas.
"""


def builder(name: str) -> str:
    """The target of a variant: its builder, or the task that waits for its group."""
    function = "assign_and_join" if name == "parallel_with_join" else "canvas"
    return f"celery_impl.{name}:{function}"


def emitted_name(name: str) -> str:
    """What the variant is called in the port."""
    return "assign_and_join" if name == "parallel_with_join" else name


def copied(path: Path) -> Folder:
    """The reference's Celery side in a folder of its own."""
    for name in ("celery_impl", "shared"):
        shutil.copytree(ROOT / name, path / name)
    return Folder(path)


def port(folder: Folder, engine: str) -> str:
    """Port all ten; what was printed. The database is that of the environment."""
    ended = folder.port(
        *(builder(name) for name in NAMES), "--to", engine, "--out", f"reference_{engine}",
        "--sample", '{"run_id": "baseline"}',
    )  # fmt: skip
    if ended.code != 1:
        raise AssertionError(ended.err)
    return ended.out


def lines(folder: Path, names: tuple[str, ...]) -> int:
    """The lines of these modules, as far as they are there."""
    files = [folder / f"{name}.py" for name in names]
    return sum(len(file.read_text().splitlines()) for file in files if file.exists())


def page(folders: Mapping[str, Path]) -> str:
    """The page; ``folders`` hold the emitted packages by engine."""
    parts = [HEAD]
    for engine, folder in folders.items():
        by_hand = lines(ROOT / f"{engine}_impl", BY_HAND[engine])
        emitted = lines(folder / f"reference_{engine}", BY_PROGRAM[engine])
        share = emitted / by_hand
        parts.append(
            f"\n## {engine.title()}\n\nAll ten: {emitted} lines emitted, {by_hand} by hand "
            f"({share:.2f} times).\n"
        )
        for name in SHOWN:
            module = "workflows" if engine == "temporal" else "flows"
            made = _definition(folder / f"reference_{engine}/{module}.py", name)
            written = _definition(ROOT / f"{engine}_impl/{name}.py", name)
            parts.append(f"\n### {name}\n\nBy program:\n\n```py\n{made}\n```\n")
            parts.append(f"\nBy hand:\n\n```py\n{written}\n```\n")
    return "".join(parts)


def _definition(file: Path, name: str) -> str:
    """The class or function of a variant, decorators included, with the class of its slices."""
    source = file.read_text()
    title = "".join(word.title() for word in name.split("_"))
    found = []
    for node in ast.parse(source).body:
        own = isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in {name, title}
        if own or (found and isinstance(node, ast.ClassDef) and node.name.startswith(title)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.append("\n".join(source.splitlines()[first - 1 : node.end_lineno]))
    if not found:
        raise LookupError(f"{file} has no {name}")
    return "\n\n\n".join(found)
