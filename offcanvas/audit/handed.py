"""What is handed to the functions of a project: `register(send_mail)`, `@register` on a class.

Only names are looked at, and only where the file itself runs: that is how things are registered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.values import Call, Name, Value


@dataclass(frozen=True, slots=True)
class Given:
    """What a call gives a parameter: a value of a file, what else it says by keyword, and the name
    that is assigned what comes back ("" for none)."""

    facts: ModuleFacts
    value: Value
    keywords: tuple[tuple[str | None, Value], ...] = ()
    handle: str = ""


class Handed:
    """Looks up what calls and decorators of a project hand to one of its functions."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._calls: Mapping[str, list[tuple[ModuleFacts, Call, str]]] | None = None

    def to(self, facts: ModuleFacts, scope: str, name: str) -> Iterator[Given]:
        """What is handed over where `name`, in the function `scope`, is a parameter or a loop's
        variable: `for job in (print_all, bind_all): app.task(job)`."""
        local = facts.local(scope, name) if scope or f".{name}" in facts.locals else ()
        for value in local:
            yield Given(facts, value)
        function = facts.functions.get(scope)
        names = [p.name for p in function.params.items] if function is not None else []
        if local or function is None or name not in names:
            return
        place = names.index(name) - (1 if function.owner is not None else 0)
        called = f"{self.index.name_of(facts)}.{scope}"
        for there, call, handle in self._known().get(called, ()):
            given = call.args[place] if 0 <= place < len(call.args) else call.keyword(name)
            if given is not None:
                rest = tuple((k, v) for k, v in call.keywords if k not in names)
                yield Given(there, given, rest, handle)

    def _known(self) -> Mapping[str, list[tuple[ModuleFacts, Call, str]]]:
        if self._calls is None:
            found: dict[str, list[tuple[ModuleFacts, Call, str]]] = {}
            for facts, call, handle in self._written():
                name = self.index.called(facts, call)
                if name is not None and self.index.function(name) is not None:
                    found.setdefault(name, []).append((facts, call, handle))
            self._calls = found
        return self._calls

    def _written(self) -> Iterator[tuple[ModuleFacts, Call, str]]:
        for facts in self.index.files.values():
            for loose in facts.loose:
                if not loose.scope and loose.call.args:
                    yield facts, loose.call, ""
            for name, value in facts.assigns.items():
                if isinstance(value, Call) and value.args and isinstance(value.args[0], Name):
                    yield facts, value, name
            for class_ in facts.classes.values():
                for decorator in class_.decorators:
                    given = (Name(class_.qualname),)
                    if isinstance(decorator, Name):
                        yield facts, Call(decorator, given, (), class_.line), ""
