"""Annotations of the project as the emitted modules may write them."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from offcanvas.port.bodies import absolute
from offcanvas.port.source import expression, free_names

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.project import Project

#: Modules whose names may stand in the annotations of inputs: they need no Celery.
_PLAIN: Final = ("typing", "collections.abc", "datetime", "decimal", "uuid", "types")


@dataclass(slots=True)
class Types:
    """Spells annotations; those that cannot be spelled are ``Any`` and kept in ``unknown``."""

    project: Project
    unknown: set[str] = field(default_factory=set)

    def spelled(self, annotation: str, module: Module | None) -> tuple[str, set[str]]:
        """The annotation and the imports it needs; ("Any", ...) if its names are not plain."""
        if not annotation or annotation == "Any":
            return "Any", {"from typing import Any"}
        try:
            names = free_names(annotation)
        except SyntaxError:
            return "Any", {"from typing import Any"}
        imports: set[str] = set()
        for name in names:
            if name == "Any":
                imports.add("from typing import Any")
                continue
            if isinstance(getattr(builtins, name, None), type) or name == "None":
                continue
            target = module.facts.imports.get(name) if module is not None else None
            if module is None or target is None:
                self.unknown.add(annotation)
                return "Any", {"from typing import Any"}
            dotted = absolute(target, module, self.project)
            head, _, last = dotted.rpartition(".")
            if head in _PLAIN:
                imports.add(
                    f"from {head} import {last}"
                    if last == name
                    else f"from {head} import {last} as {name}"
                )
            elif dotted in _PLAIN:
                imports.add(f"import {dotted}" if dotted == name else f"import {dotted} as {name}")
            else:
                self.unknown.add(annotation)
                return "Any", {"from typing import Any"}
        text = ast.unparse(expression(annotation))
        if "object" in names:  # to which Temporal's converter makes nothing
            text = re.sub(r"\bobject\b", "Any", text)
            imports.add("from typing import Any")
        return text, imports
