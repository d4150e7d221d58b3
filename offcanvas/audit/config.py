"""What is audited and shown: defaults, then pyproject.toml, then flags."""

import difflib
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from offcanvas.audit.finding import Severity
from offcanvas.audit.rules import Rule, all_rules
from offcanvas.errors import UsageError

_LISTS: Final = frozenset({"select", "ignore", "exclude"})
_FLAGS: Final = frozenset({"include-tests", "strict"})
_TEXTS: Final = frozenset({"severity", "baseline"})


@dataclass(frozen=True)
class Config:
    """select, ignore: codes or their beginnings ("CEL3"), each also a list with commas.

    severity: the mildest that is shown.

    exclude: shell patterns of files and folders. baseline: a file, relative to pyproject.toml.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity = Severity.LOW
    exclude: tuple[str, ...] = ()
    include_tests: bool = False
    strict: bool = False
    baseline: Path | None = None

    def rules(self) -> list[Rule]:
        """The chosen rules. Raises UsageError for a code that no rule has."""
        chosen = _matching(self.select or tuple(all_rules()), "--select")
        dropped = _matching(self.ignore, "--ignore")
        return [rule for code, rule in all_rules().items() if code in chosen - dropped]

    def changed(self, **given: object) -> "Config":
        """The same with the values that were given; None means not given."""
        return replace(self, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # the command passes its own typed options


def load_config(start: Path) -> Config:
    """The configuration of the nearest pyproject.toml at or above `start`.

    Raises UsageError when that file cannot be read or says something unknown.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _from_file(path)
        if (folder / ".git").exists():
            break
    return Config()


def _from_file(path: Path) -> Config:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    section: object = table
    for name in ("tool", "offcanvas", "audit"):
        section = section.get(name, {}) if isinstance(section, Mapping) else {}
    if not isinstance(section, Mapping):
        raise UsageError(f"{path}: [tool.offcanvas.audit] has to be a table")
    values: dict[str, object] = {}
    for key, value in section.items():
        values[key.replace("-", "_")] = _checked(path, key, value)
    return Config().changed(**values)


def _checked(path: Path, key: str, value: object) -> object:
    where = f"{path}, [tool.offcanvas.audit]"
    if key in _LISTS:
        if key != "exclude" and isinstance(value, str):
            value = [value]  # as ruff does: select = "CEL4,CEL501"
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise UsageError(f"{where}: {key} has to be a list of strings, not {value!r}")
        if key != "exclude":
            _matching(value, f"{where}: {key}")
        return tuple(value)
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {key} has to be true or false, not {value!r}")
        return value
    if key in _TEXTS:
        if not isinstance(value, str):
            raise UsageError(f"{where}: {key} has to be a string, not {value!r}")
        return parse_severity(value, where) if key == "severity" else path.parent / value
    known = sorted(_LISTS | _FLAGS | _TEXTS)
    raise UsageError(
        f"{where}: unknown key {key!r}{_close(key, known)}; known are {_listed(known)}"
    )


def parse_severity(text: str, where: str = "--severity") -> Severity:
    """The severity of a word. Raises UsageError."""
    try:
        return Severity[text.upper()]
    except KeyError:
        known = [s.label for s in Severity]
        raise UsageError(f"{where}: {text!r} is not a severity; use {_listed(known)}") from None


def find_rule(code: str) -> Rule:
    """The rule with a code or a name ("CEL301", "result-get-in-task"). Raises UsageError."""
    for rule in all_rules().values():
        if code.upper() == rule.code or code.lower() == rule.name:
            return rule
    known = [*all_rules(), *(r.name for r in all_rules().values())]
    raise UsageError(f"no rule is called {code!r}{_close(code, known)}")


def _matching(wanted: Sequence[str], option: str) -> set[str]:
    """The codes that a list names, each of whose items may be a list with commas."""
    found: set[str] = set()
    for text in (part.strip() for item in wanted for part in item.split(",")):
        codes = {code for code in all_rules() if text and code.startswith(text.upper())}
        if not codes:
            raise UsageError(
                f"{option}: no rule starts with {text!r}{_close(text, all_rules())}; "
                f"there are {_listed(all_rules())}"
            )
        found |= codes
    return found


def _close(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.upper(), [k.upper() for k in known], 1, 0.5)
    by_upper = {k.upper(): k for k in known}
    return f" (did you mean {by_upper[near[0]]}?)" if near else ""


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)
