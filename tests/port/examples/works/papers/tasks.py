"""Documents that are split, merged and read from mails; their originals go when all is well."""

import logging
from datetime import datetime
from pathlib import Path

from celery import Celery, Signature, Task, chord, group, shared_task

from papers import rows
from papers.rows import Document, Overrides, Rule, Source

app = Celery("papers")
app.conf.update(
    task_serializer="pickle",
    result_serializer="pickle",
    accept_content=["pickle", "json"],
    task_time_limit=1800,
    task_default_queue="papers",
)
logger = logging.getLogger(__name__)


@shared_task(bind=True)
def consume_file(self: Task, document: Document, overrides: Overrides | None = None) -> str | None:
    token = (self.request.id or "")[:8]
    try:
        if overrides is None:
            overrides = Overrides()
        rows.note("consume_file", document, overrides)
        if overrides.title is not None and "broken" in overrides.title:
            raise ValueError(f"{document.file.name} is no document")
        return str(document.file)
    finally:
        logger.info("consumed by %s", token)


@shared_task
def delete(documents: list[int]) -> str:
    rows.note("delete", documents)
    return "OK"


@shared_task(bind=True)
def restore_numbers(self, backup: dict[int, int | None], *args, **kwargs) -> None:
    rows.restore(backup)


@shared_task
def apply_action(
    result: list, rule_id: int, uid: str, subject: str, date: datetime, validity: str | None = None
) -> None:
    rows.note("apply_action", result, rule_id, uid, subject, date, validity)


@shared_task
def error_callback(
    request,
    exc,
    tb,
    rule_id: int,
    uid: str,
    subject: str,
    date: datetime,
    validity: str | None = None,
) -> None:
    rows.note("error_callback", rule_id, uid, subject, date, validity)


def split(
    documents: list[int],
    pages: list[list[int]],
    *,
    delete_originals: bool = False,
    user: int | None = None,
    trigger: str = "web",
) -> str:
    """A document for each range of pages; the original goes once all are there."""
    document = documents[0]
    consume_tasks = []
    try:
        for index, part in enumerate(pages):
            file = Path("scratch") / f"{document}_{part[0]}-{part[-1]}.pdf"
            overrides = Overrides(title=f"{rows.title(document)} (split {index + 1})")
            if user is not None:
                overrides.owner = user
            if not delete_originals:
                overrides.skip_number = True
            logger.info("adding pages %s", part)
            consume_tasks.append(
                consume_file.s(
                    document=Document(source=Source.FOLDER, file=file), overrides=overrides
                ).set(headers={"trigger_source": trigger}),
            )

        if delete_originals:
            backup = rows.release([document])
            logger.info("the original goes when all are there")
            try:
                chord(
                    header=consume_tasks,
                    body=delete.si([document]),
                ).on_error(
                    restore_numbers.s(backup),
                ).apply_async()
            except Exception:
                rows.restore(backup)
                raise
        else:
            group(consume_tasks).delay()
    except Exception as error:
        logger.exception(f"Error splitting document {document}: {error}")
    return "OK"


def merge(
    documents: list[int],
    *,
    delete_originals: bool = False,
    user: int | None = None,
    trigger: str = "web",
) -> str:
    """One document of several."""
    file = Path("scratch") / f"{'_'.join(map(str, documents))}_merged.pdf"
    overrides = Overrides(title=f"{rows.title(documents[0])} (merged)", owner=user)
    consume_task = consume_file.s(
        document=Document(source=Source.FOLDER, file=file), overrides=overrides
    ).set(headers={"trigger_source": trigger})
    if delete_originals:
        backup = rows.release(documents)
        try:
            consume_task.apply_async(
                link=[delete.si(documents)],
                link_error=[restore_numbers.s(backup)],
            )
        except Exception:
            rows.restore(backup)
            raise
    else:
        consume_task.apply_async()
    return "OK"


def queue_consumption(
    *, consume_tasks: list[Signature], rule: Rule, message: dict, validity: str | None
) -> None:
    """All attachments of a mail, then what the rule says is done with the mail."""
    action = apply_action.s(
        rule_id=rule.pk,
        uid=message["uid"],
        subject=message["subject"],
        date=message["date"],
        validity=validity,
    )
    chord(header=consume_tasks, body=action).on_error(
        error_callback.s(
            rule_id=rule.pk,
            uid=message["uid"],
            subject=message["subject"],
            date=message["date"],
            validity=validity,
        ),
    ).delay()


def handle_mail(message: dict, rule: Rule, validity: str | None) -> int:
    """What consumes the attachments of a mail."""
    consume_tasks = []
    processed = 0
    for name in message["attachments"]:
        if name.endswith((".pdf", ".png")):
            document = Document(source=Source.MAIL, file=Path(name), rule=rule.pk)
            overrides = Overrides(title=name, tags=set(rule.tags))
            consume_task = consume_file.s(document=document, overrides=overrides).set(
                headers={"trigger_source": "mail"}
            )
            consume_tasks.append(consume_task)
            processed += 1
        else:
            logger.debug("skipping %s", name)
    if len(consume_tasks) > 0:
        queue_consumption(
            consume_tasks=consume_tasks, rule=rule, message=message, validity=validity
        )
    return processed
