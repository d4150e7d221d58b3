"""Dockets and documents that are fetched from courts, for requests of several kinds."""

from celery import Celery, Task, chain

from dockets import rows
from dockets.rows import ConnectError, LoginError, Request

app = Celery("dockets")
app.conf.update(
    task_serializer="pickle",
    result_serializer="pickle",
    accept_content=["json", "pickle"],
    task_default_queue="dockets",
)


@app.task(
    bind=True,
    autoretry_for=(LoginError, ConnectError),
    max_retries=2,
    default_retry_delay=1,
    interval_start=5,
    interval_step=5,
    ignore_result=True,
)
def fetch_appellate_docket(self, request_pk: int, court: str) -> dict[str, int] | None:
    rows.note("fetch_appellate_docket", request_pk, court, self.request.retries)
    if not rows.is_reachable(court, self.request.retries):
        if self.request.retries == self.max_retries:
            rows.note("status", request_pk, f"Blocked by court: {court}")
            self.request.chain = None
            return None
        else:
            raise self.retry()
    return {"docket": request_pk}


@app.task(
    bind=True,
    autoretry_for=(LoginError, ConnectError),
    max_retries=2,
    default_retry_delay=1,
    interval_start=5,
    interval_step=5,
    ignore_result=True,
)
def fetch_docket(self, request_pk: int) -> dict[str, int]:
    before = rows.note("fetch_docket", request_pk)
    if request_pk == 5 and before < 2:
        raise LoginError("once more")
    if request_pk == 6:
        raise ConnectError("no court")
    return {"docket": request_pk}


@app.task
def mark_successful(request_pk: int) -> None:
    rows.note("mark_successful", request_pk)


@app.task(bind=True, autoretry_for=(LoginError,), max_retries=5, ignore_result=True)
@rows.atomic
def fetch_attachments(self: Task, request_pk: int) -> list[tuple[int, bool]]:
    rows.note("fetch_attachments", request_pk)
    others = [(request_pk * 10, False), (request_pk * 10 + 1, True)] if request_pk % 2 else []
    if not others:
        self.request.chain = None
        return []
    return others


@app.task(bind=True, ignore_result=True)
def replicate(self: Task, pairs: list[tuple[int, bool] | int]) -> None:
    for pair in pairs:
        if isinstance(pair, tuple):
            number, again = pair
            rows.note("replicate a pair", number, again)
        else:
            rows.note("replicate", pair)


@app.task(bind=True, autoretry_for=(LoginError,), max_retries=5, ignore_result=True)
@rows.atomic
def fetch_document(self, document: int, request_pk: int, magic: str | None = None) -> int | None:
    rows.note("fetch_document", document, request_pk, magic)
    if document == 9:
        raise LookupError("no such document")
    return document


@app.task(bind=True, autoretry_for=(ConnectError,), max_retries=3, retry_backoff=1)
def extract_text(self, pks: int | list[int], ocr: bool = True, check: bool = True) -> list[int]:
    rows.note("extract_text", pks, ocr, check)
    return [pks] if isinstance(pks, int) else pks


def do_fetch(request: Request):
    """Send what a request of this kind needs."""
    result = None
    match request.kind:
        case "docket":
            court = request.court
            c = (
                chain(fetch_appellate_docket.si(request.pk, court))
                if rows.is_appellate(court)
                else chain(fetch_docket.si(request.pk))
            )
            c = c | mark_successful.si(request.pk)
        case "attachments":
            c = chain(
                fetch_attachments.si(request.pk),
                replicate.s(),
            )
        case "document":
            document = request.document
            c = chain(
                fetch_document.si(document, request.pk),
                extract_text.si(document),
                mark_successful.si(request.pk),
            )
        case _:
            raise NotImplementedError(f"Unsupported kind: {request.kind}")

    result = c.apply_async(queue=rows.QUEUE)
    return result


@app.task(bind=True, max_retries=2, default_retry_delay=1)
def find_case(
    self,
    handed_on: object,
    number: str,
    court: str,
    session: dict[str, str] | None,
    title: str | None = None,
    letters: str | None = None,
) -> dict[str, object] | None:
    rows.note("find_case", handed_on, number, court, session, title, letters)
    if number == "unknown":
        self.request.chain = None
        return None
    if number == "down":
        raise self.retry(exc=ConnectError("down"))
    return {"case": f"{court}/{number}", "handed_on": handed_on}


@app.task(bind=True, max_retries=2)
def get_docket(
    self,
    data: dict[str, object],
    court: str,
    session: dict[str, str],
    tags: list[str] | None = None,
    **kwargs: bool,
) -> dict[str, object] | None:
    rows.note("get_docket", sorted(data.items()), court, session, tags, sorted(kwargs.items()))
    return {**data, "docket": len(kwargs)}


@app.task(bind=True, max_retries=2, ignore_result=True)
def get_claims(
    self, data: dict[str, object], session: dict[str, str], tags: list[str] | None = None
) -> dict[str, object]:
    rows.note("get_claims", sorted(data.items()), session, tags)
    return data


def docket_and_claims(number, court, title, session, tags, q):
    """The docket, then the claims that were made on it."""
    chain(
        find_case.s(
            handed_on=None,
            number=number,
            court=court,
            session=session,
            title=title,
            letters="bk",
        ).set(queue=q),
        get_docket.s(
            court=court,
            session=session,
            tags=tags,
            **{
                "parties": True,
                "terminated": True,
                "members": False,
            },
        ).set(queue=q),
        get_claims.s(session=session, tags=tags).set(queue=q),
    ).apply_async()
