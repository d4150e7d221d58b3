"""Network call in a task that waits for ever when the other side does not answer.

Bad:
    import requests
    from celery import shared_task

    @shared_task
    def load(url):
        return requests.get(url).text
Good:
    import requests
    from celery import shared_task

    @shared_task
    def load(url):
        return requests.get(url, timeout=(3, 30)).text
Why: requests, urllib, smtplib and sockets wait without a limit unless they are given one. A peer
    that accepts and stays silent holds a worker process each time, until none is left.
Prefect: timeout_seconds of a task does not interrupt a blocking call in a thread.
Temporal: start_to_close_timeout frees the workflow, but the thread of a synchronous activity stays
    busy until the call itself ends.
Source: https://requests.readthedocs.io/en/latest/user/advanced/#timeouts
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.reach import Place, leads_to
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._owners import owner_made_by
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function

_VERBS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_NO_PLACE: Final = 99
_WAITS: Final[Mapping[str, int]] = {
    **{f"requests.{verb}": _NO_PLACE for verb in _VERBS},
    **{f"requests.api.{verb}": _NO_PLACE for verb in _VERBS},
    "urllib.request.urlopen": 2,
    "smtplib.SMTP": 3,
    "smtplib.SMTP_SSL": _NO_PLACE,
    "ftplib.FTP": 4,
    "http.client.HTTPConnection": 2,
    "http.client.HTTPSConnection": _NO_PLACE,
    "socket.create_connection": 1,
}
"""What waits without a limit -> the place of a positional timeout."""
_LIMITED: Final = frozenset({*(f"httpx.{verb}" for verb in _VERBS), "httpx.Client", "httpx.stream"})
"""What has a limit of its own that timeout=None takes away."""
_SESSIONS: Final = frozenset({"requests.Session", "requests.session", "requests.sessions.Session"})
_UNLIMITED_BY_SOCKET: Final = ("urllib.", "smtplib.", "ftplib.", "http.", "socket.")


@module_rule("CEL310", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Calls in a task's body, and in functions of the project that it leads to."""
    told = set()
    for call in module.walk(ast.Call):
        task = module.task_around(call)
        if task is None:
            continue
        said = _judged(module, call)
        if said is not None:
            yield module.remark(
                call,
                f"{said[0]} in {task.name} has no timeout: a silent peer holds the worker; "
                "add timeout=...",
                doubt=said[1] or _limit(module, task),
            )
            continue
        found = leads_to(module, call, _wait_in)
        if found is not None and (found.path, found.place.line) not in told:
            told.add((found.path, found.place.line))
            yield module.remark(
                call,
                f"{task.name} calls {found.way}, where {found.place.what} has no timeout (line "
                f"{found.place.line} of {found.path}): a silent peer holds the worker",
                doubt=found.place.doubt or _limit(module, task),
                related=((found.path, found.place.line, "waits here"),),
            )


def _wait_in(module: Module, function: Function) -> Place | None:
    """The first call without a limit in a function's own body."""
    for call in module.inside(function.node, ast.Call):
        said = _judged(module, call)
        if said is not None:
            return Place(call.lineno, *said)
    return None


def _judged(module: Module, call: ast.Call) -> tuple[str, str] | None:
    """(what waits, doubt) of a call without a limit, or None."""
    name = module.name(call.func) or ""
    doubt = ""
    place = _WAITS.get(name, _NO_PLACE)
    if name in _LIMITED:
        given = _timeout(call)
        unlimited = isinstance(given, ast.Constant) and given.value is None
        return (name, "") if unlimited else None
    if name not in _WAITS:
        session = _session(module, call)
        if session is None:
            return None
        name = f"{module.text(session)}.{_attribute(call)}"
        if _adapted(module, session):
            doubt = "its transport adapter may set one"
    elif name.startswith(_UNLIMITED_BY_SOCKET) and _default_is_set(module):
        return None
    given = _timeout(call)
    if given is None and len(call.args) > place:
        given = call.args[place]
    if given is not None:
        unlimited = isinstance(given, ast.Constant) and given.value is None
        return (name, "") if unlimited else None
    if any(k.arg is None for k in call.keywords):
        doubt = "**kwargs may hold one"
    elif any(isinstance(a, ast.Starred) for a in call.args):
        doubt = "*args may hold one"
    return name, doubt


def _timeout(call: ast.Call) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == "timeout"), None)


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _session(module: Module, call: ast.Call) -> ast.expr | None:
    """The `requests.Session()` whose method is called, or None."""
    return owner_made_by(module, call, _SESSIONS) if _attribute(call) in _VERBS else None


def _adapted(module: Module, session: ast.expr) -> bool:
    """Whether an adapter or another `send` is put on a session."""
    written = ast.unparse(session)
    return any(
        (node.attr == "mount" or isinstance(node.ctx, ast.Store))
        and node.attr in {"mount", "request", "send"}
        and ast.unparse(node.value) == written
        for node in module.walk(ast.Attribute)
    )


def _default_is_set(module: Module) -> bool:
    return any(module.name(c.func) == "socket.setdefaulttimeout" for c in module.walk(ast.Call))


def _limit(module: Module, task: Task) -> str:
    """A time limit ends the wait by killing the process or raising in it."""
    for option in ("time_limit", "soft_time_limit"):
        value = module.project.settings.of_task(task, option)
        if isinstance(literal(value), int | float):
            return f"the task's {option} of {literal(value)} s ends the wait"
    return ""
