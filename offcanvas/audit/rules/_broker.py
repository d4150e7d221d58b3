"""Which brokers a project names, also as the default of an environment variable."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from offcanvas.audit.project import Project
from offcanvas.audit.settings import Setting
from offcanvas.audit.tables import entries, field
from offcanvas.audit.told import DEFAULT, told
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


@dataclass(frozen=True, slots=True)
class TransportOption:
    """One option of the broker's transport. value: None when it is not written.

    known: false when it may be set in a way that cannot be read. setting: where it is written.
    """

    value: object = None
    known: bool = True
    doubt: str = ""
    setting: Setting | None = None


@lru_cache(maxsize=8)
def transport_option(project: Project, name: str) -> TransportOption:
    """An option of `broker_transport_options`, wherever it is written."""
    known = True
    for setting in project.settings.all(TRANSPORT_OPTIONS):
        facts = project.files[setting.path]
        found = [*entries(project.index, facts, setting.value, setting.scope, setting.line)]
        entry = field(found, name)
        if entry is not None:
            said = told(project.index, entry.facts, entry.value, entry.scope)
            if said is None:
                return TransportOption(known=False, setting=setting)
            return TransportOption(said[0], True, "" if said[1] else DEFAULT, setting)
        known = known and _is_read(setting.value)
    for facts in project.files.values():
        for store in facts.stores:  # app.conf.broker_transport_options["confirm_publish"] = True
            if store.key == name and store.target.lower().endswith(TRANSPORT_OPTIONS):
                said = told(project.index, facts, store.value, store.scope)
                if said is None:
                    return TransportOption(known=False)
                return TransportOption(said[0], True, "" if said[1] else DEFAULT)
    return TransportOption(known=known)


def _is_read(value: Value) -> bool:
    """Whether every entry of a dictionary is written out."""
    return isinstance(value, Dict) and all(isinstance(k, Const) for k, _, _ in value.items)
