"""Which brokers a project names, also as the default of an environment variable."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from offcanvas.audit.project import Project
from offcanvas.audit.settings import Setting
from offcanvas.audit.values import Call, Const, Dict, Either, Opaque, Value

_SAME: Final = {"pyamqp": "amqp", "amqps": "amqp", "rediss": "redis"}
TRANSPORT_OPTIONS: Final = "broker_transport_options"


@dataclass(frozen=True, slots=True)
class Broker:
    """One written address: its scheme ("amqp", "redis", "sqs", ...), and whether it is certain."""

    scheme: str
    setting: Setting
    doubt: str


@lru_cache(maxsize=2)
def brokers(project: Project) -> tuple[Broker, ...]:
    """Every address of a broker that is written, the certain ones first."""
    found = []
    for setting in project.settings.all("broker_url"):
        facts = project.files[setting.path]
        value = project.index.constant(facts, setting.value) or setting.value
        for address, doubt in _addresses(value):
            scheme, colon, _ = address.partition(":")
            if colon and scheme.replace("+", "").isalpha():
                scheme = scheme.lower()
                found.append(Broker(_SAME.get(scheme, scheme), setting, doubt))
    return tuple(sorted(found, key=lambda b: b.doubt))


def broker_of(project: Project, schemes: Collection[str]) -> Broker | None:
    """The first broker with one of these schemes; in doubt when another kind is named as well."""
    named = brokers(project)
    found = next((b for b in named if b.scheme in schemes), None)
    other = next((b for b in named if b.scheme not in {*schemes, "memory"}), None)
    if found is None or other is None or found.doubt:
        return found
    place = f"{other.setting.path}, line {other.setting.line}"
    return replace(found, doubt=f"{place} names a broker of another kind, {other.scheme}")


def _addresses(value: Value) -> Iterator[tuple[str, str]]:
    """The address, or what stands beside a call: `os.environ.get("BROKER", "amqp://...")`."""
    if isinstance(value, Const):
        if isinstance(value.value, str) and "://" in value.value:
            yield value.value, ""
    elif isinstance(value, Opaque):
        if "://" in value.start:
            yield value.start, ""
    elif isinstance(value, Either):
        for option in value.options:
            yield from _addresses(option)
    elif isinstance(value, Call):
        for argument in (*value.args, *(v for _, v in value.keywords)):
            for address, _ in _addresses(argument):
                yield address, "the address is only the default of something read at run time"


@lru_cache(maxsize=8)
def transport_option(project: Project, name: str) -> tuple[object, bool]:
    """(value, known) of one transport option; known is false when it may be set unreadably."""
    known = True
    for setting in project.settings.all(TRANSPORT_OPTIONS):
        facts = project.files[setting.path]
        value = project.index.constant(facts, setting.value) or setting.value
        if not isinstance(value, Dict):
            known = False
            continue
        found = value.get(name)
        if found is not None:
            said = project.index.constant(facts, found)
            return (said.value, True) if isinstance(said, Const) else (None, False)
        known = known and all(key is not None for key, _, _ in value.items)
    for facts in project.files.values():
        for store in facts.stores:  # app.conf.broker_transport_options["confirm_publish"] = True
            if store.key == name and store.target.lower().endswith(TRANSPORT_OPTIONS):
                return (
                    (store.value.value, True) if isinstance(store.value, Const) else (None, False)
                )
    return None, known
