"""Mail or request in a task that may run twice, with nothing that tells the second from the first.

Bad:
    import uuid
    import requests
    from celery import shared_task

    @shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)
    def pay(order_id):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        requests.post("https://pay.example/charge", headers=headers, timeout=9)
Good:
    import requests
    from celery import shared_task

    @shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)
    def pay(order_id):
        headers = {"Idempotency-Key": f"order-{order_id}"}
        requests.post("https://pay.example/charge", headers=headers, timeout=9)
Why: A request that times out may have worked; a retry then does it again. A key that is the same
    for every attempt (from the arguments, or self.request.id) lets the receiver see that; one made
    anew in each attempt does not. Mail that is sent before something that fails is sent again.
Prefect: Retries run the task again in the same way; make the key from the parameters.
Temporal: Workflow id and activity id are the same for every attempt and make a good key.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#basics
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._owners import owner_made_by
from offcanvas.audit.rules._repeats import repeats, task_function
from offcanvas.audit.tree import Function

_MAILS: Final = frozenset(
    f"django.core.mail.{n}" for n in ("send_mail", "send_mass_mail", "mail_admins", "mail_managers")
)
_MESSAGES: Final = frozenset(
    {
        "django.core.mail.EmailMessage",
        "django.core.mail.EmailMultiAlternatives",
        "django.core.mail.message.EmailMessage",
        "django.core.mail.message.EmailMultiAlternatives",
    }
)
_POSTS: Final = frozenset({"requests.post", "requests.api.post", "httpx.post"})
_REQUESTS: Final = frozenset({"requests.request", "requests.api.request", "httpx.request"})
_SESSIONS: Final = frozenset(
    {"requests.Session", "requests.session", "requests.sessions.Session"}
    | {"httpx.Client", "httpx.AsyncClient", "aiohttp.ClientSession"}
)
_PAYS: Final = tuple(
    f"stripe.{n}.create" for n in ("Charge", "PaymentIntent", "Refund", "Transfer", "Payout")
)
_KEY: Final = ("idempot", "request-id", "request_id", "dedup")
_RANDOM: Final = frozenset(
    {"uuid.uuid4", "uuid.uuid1", "secrets.token_hex", "secrets.token_urlsafe", "time.time"}
)
_TRACES: Final = re.compile(r"(?i)trace|span|correlation|nonce|boundary|timestamp|date|request-?id")
_IDENTITY: Final = re.compile(r"(?i)id\b|_id|key|delivery|reference|token|unique|number|uuid")
_IGNORED: Final = "the receiver may not look at it"
_READS: Final = "the request may only read, or be recognised by its content"


@module_rule("CEL307", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Mails, posts and payments in a task's own body, with a reason to run again."""
    for call in module.walk(ast.Call):
        function = task_function(module, call)
        if function is None or function.task is None:
            continue
        name = module.name(call.func) or ""
        mail = name in _MAILS or _is_message(module, call)
        pays = name.endswith(_PAYS)
        if not (mail or pays or _posts(module, call, name)):
            continue
        why = repeats(module, function, call, itself=not mail)
        if why is None:
            continue
        key = _key(module, call)
        if key is not None:
            if any(module.name(c.func) in _RANDOM for c in _calls(module, key)):
                yield module.remark(
                    call,
                    f"the key of this request is made anew in each attempt ({why[0]}): the "
                    "receiver cannot see that it is the same; make it from the arguments",
                    doubt=why[1],
                )
            continue
        fresh = _made_anew(module, function, call)
        if fresh is not None:
            path, name, value = fresh
            yield module.remark(
                call,
                f"the key {name} is made anew in each attempt ({why[0]}): the receiver cannot see "
                "that the request is the same; make it from the arguments or self.request.id",
                doubt=why[1] or ("" if _IDENTITY.search(name) else _IGNORED),
                related=((path, value.lineno, "made here"),),
            )
            continue
        cure = "note that it is sent" if mail else "give it a key that is the same each time"
        last = "" if why[1] or not mail else " or make it the last step"
        yield module.remark(
            call,
            f"{module.text(call.func)} is done again when {function.task.name} runs twice "
            f"({why[0]}); {cure}{last}",
            doubt=why[1] or ("" if mail or pays else _READS),
        )


def _posts(module: Module, call: ast.Call, name: str) -> bool:
    """`requests.post(...)`, `requests.request("POST", ...)`, `session.post(...)`."""
    func = call.func
    if name in _REQUESTS or (isinstance(func, ast.Attribute) and func.attr == "request"):
        method = module.literal(call.args[0]) if call.args else None
        if not (isinstance(method, str) and method.upper() == "POST"):
            return False
        return name in _REQUESTS or owner_made_by(module, call, _SESSIONS) is not None
    is_post = isinstance(func, ast.Attribute) and func.attr == "post"
    return name in _POSTS or (is_post and owner_made_by(module, call, _SESSIONS) is not None)


def _is_message(module: Module, call: ast.Call) -> bool:
    """`EmailMessage(...).send()`, also through a variable."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "send":
        return False
    return any(
        isinstance(option, ast.Call) and module.name(option.func) in _MESSAGES
        for option in module.possible(func.value)
    )


def _key(module: Module, call: ast.Call) -> ast.expr | None:
    """The value of an idempotency key among the arguments and headers of a request."""
    for keyword in call.keywords:
        if _is_key(keyword.arg):
            return keyword.value
        for option in module.possible(keyword.value):
            for node in ast.walk(option):
                if not isinstance(node, ast.Dict):
                    continue
                for name, value in zip(node.keys, node.values, strict=True):
                    if isinstance(name, ast.Constant) and _is_key(name.value):
                        return value
    return None


def _made_anew(
    module: Module, function: Function, call: ast.Call
) -> tuple[str, str, ast.expr] | None:
    """(path, name, value) of a header or field of a request that is another one in each attempt."""
    given = [keyword.value for keyword in call.keywords]
    session = owner_made_by(module, call, _SESSIONS)
    if session is not None:
        given.append(ast.Attribute(session, "headers", ast.Load()))
    for one in given:
        for there, name, value in _fields(module, function, one):
            made = {there.name(c.func) for c in _calls(there, value)}
            # The time of day identifies nothing, unless it is called a key.
            fresh = made & (_RANDOM if _is_key(name) else _RANDOM - {"time.time"})
            if fresh and (_is_key(name) or not _TRACES.search(name)):
                return there.path, name, value
    return None


def _fields(
    module: Module, function: Function, node: ast.expr, depth: int = 2
) -> Iterator[tuple[Module, str, ast.expr]]:
    """(file, name, value) of what a dictionary holds: written out, by dict(), put in later, or
    returned by a helper."""
    for option in module.possible(node):
        if isinstance(option, ast.Dict):
            for key, value in zip(option.keys, option.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield module, key.value, value
                elif key is None:
                    yield from _fields(module, function, value, depth)
        elif isinstance(option, ast.Call) and module.name(option.func) == "builtins.dict":
            yield from ((module, k.arg, k.value) for k in option.keywords if k.arg)
        elif isinstance(option, ast.Call):  # headers=_headers(): what a helper returns
            found = module.callee(option)
            for given in found[0].inside(found[1].node, ast.Return) if found is not None else ():
                if found is not None and given.value is not None and depth:
                    there, helper = found
                    yield from _fields(there, helper, given.value, depth - 1)
    if isinstance(node, ast.Name | ast.Attribute):
        written = ast.unparse(node)
        for call in module.inside(function.node, ast.Call):
            if ast.unparse(call.func) == f"{written}.update":
                for argument in call.args:
                    if not isinstance(argument, ast.Name):
                        yield from _fields(module, function, argument, depth)
        for assign in module.inside(function.node, ast.Assign):
            for target in assign.targets:
                if (
                    isinstance(target, ast.Subscript)
                    and ast.unparse(target.value) == written
                    and isinstance(target.slice, ast.Constant)
                ):
                    yield module, str(target.slice.value), assign.value


def _is_key(name: object) -> bool:
    return isinstance(name, str) and any(k in name.lower() for k in _KEY)


def _calls(module: Module, key: ast.expr) -> Iterator[ast.Call]:
    for option in module.possible(key):
        for node in ast.walk(option):
            if isinstance(node, ast.Call):
                yield node
            elif isinstance(node, ast.Name) and node is not option:
                for inner in module.possible(node):
                    yield from (n for n in ast.walk(inner) if isinstance(n, ast.Call))
