"""Sites that are synced from a Drive, and published in batches."""

import logging
from collections import Counter

import celery
from celery import chain, chord
from celery.result import allow_join_result

from studio import rows

app = celery.Celery("studio")
app.conf.task_default_queue = "studio"
log = logging.getLogger(__name__)


@app.task()
def process_file(file_id: str) -> str:
    rows.note("process_file", file_id)
    if file_id == "broken-2":
        raise OSError("cannot be read")
    return file_id


@app.task()
def create_resources(file_ids: list[str | None], user_pk: int | None = None) -> list[str | None]:
    rows.note("create_resources", file_ids, user_pk)
    return file_ids


@app.task()
def transcode_videos(file_ids: list[str | None]) -> None:
    rows.note("transcode_videos", file_ids)


@app.task()
def delete_file(file_id: str, synced_on: str, user_pk: int | None = None) -> None:
    rows.note("delete_file", file_id, synced_on, user_pk)


@app.task(acks_late=True)
def finish(*args: object, **kwargs: object) -> bool:
    rows.note("finish", args, kwargs)
    return True


@app.task
def update_status(site_pk: int, synced_on: str) -> None:
    rows.note("update_status", site_pk, synced_on)


@app.task(acks_late=True, autoretry_for=(BlockingIOError,), retry_backoff=True)
@rows.single_task(10)
def sync_content(name: str) -> None:
    rows.note("sync_content", name)


@app.task(bind=True, acks_late=True, autoretry_for=(BlockingIOError,), retry_backoff=30)
@rows.single_task(30)
def import_files(self, name: str, user_pk: int | None = None):
    """Import the files of a site: first those that are there, then without those that are not."""
    if not rows.BACKEND:
        return None
    site = rows.site(name)
    errors = []
    folders = rows.folders(site)

    gone = rows.missing(sum(folders.values(), []), site)
    delete_tasks = [delete_file.si(file.id, site.synced_on, user_pk=user_pk) for file in gone]

    file_tasks = []
    for files in folders.values():
        occurrences = Counter([file.get("name") for file in files])
        for found in files:
            try:
                file = rows.kept(found, site, replaced=occurrences[found.get("name")] == 1)
                if file:
                    file_tasks.append(process_file.s(file.id))
            except:  # noqa: E722 - as it is written there
                errors.append(f"Error processing {found.get('name')}")
                log.exception("Error processing %s", found.get("name"))
    site.errors = errors
    site.save()

    steps = []
    if file_tasks:
        resources = chord(celery.group(*file_tasks), create_resources.s(user_pk=user_pk))
        videos = transcode_videos.s()
        steps.append(chain(resources, videos))

    if delete_tasks:
        step = chord(celery.group(*delete_tasks), finish.si())
        steps.append(step)

    if steps:
        steps.append(update_status.si(site.pk, site.synced_on))
        steps.append(sync_content.si(name))
        workflow = chain(*steps)
        return self.replace(celery.group(workflow))

    update_status(site.pk, site.synced_on)
    return None


# -- attempts with other arguments


@app.task(bind=True, acks_late=True, max_retries=3)
def request_transcript(self, video: int, timeout: int | None = None) -> str:
    used = timeout or 2
    rows.note("request_transcript", video, timeout, self.request.retries)
    try:
        return rows.transcript(video, used)
    except TimeoutError as error:
        rows.note("too slow", video, used)
        self.retry(exc=error, kwargs={"timeout": used + 2}, countdown=0)
    except ConnectionError as error:
        self.retry(exc=error, countdown=0)


@app.task(bind=True, max_retries=3, default_retry_delay=0)
def index_pages(self, done: list[int], pks: list[int], quick: bool = False, *, loud: bool = False):
    rows.note("index_pages", done, pks, quick, loud, self.request.retries)
    left = []
    for place, pk in enumerate(pks):
        try:
            done.append(rows.indexed(pk))
        except LookupError as error:
            again = (done, left + pks[place + 1 :], quick)
            raise self.retry(again, exc=error, max_retries=5)
        except OSError:
            left.append(pk)
    if left == [30]:
        raise self.retry(args=[done, left], kwargs={"quick": True}, exc=ValueError("only 30"))
    if left:
        raise self.retry(args=(done, left), kwargs=None)
    return done


class WithSite(celery.Task):
    abstract = True

    def __call__(self, *args, **kwargs):
        with rows.opened("site"):
            return super().__call__(*args, **kwargs)


@app.task(base=WithSite)
def first_pages() -> list[int]:
    rows.note("first_pages")
    return []


def transcripts(videos: list[int]):
    return chord([request_transcript.s(video) for video in videos], finish.s())


def index(pks: list[int], quick: bool):
    return chain(first_pages.s(), index_pages.s(pks, quick, loud=True), finish.s())


@app.task()
def publish_batch(
    names: list[str],
    version: str,
    *,
    prepublish: bool | None = False,
    trigger: bool | None = True,
) -> bool:
    rows.note("publish_batch", names, version, prepublish, trigger)
    if "broken" in names:
        raise RuntimeError("cannot be published")
    return True


@app.task(acks_late=True)
def trigger_mass_build(version: str, *, with_delete: bool = False) -> bool:
    rows.note("trigger_mass_build", version, with_delete)
    return True


@app.task(bind=True, acks_late=True)
def publish_sites(
    self,
    names: list[str],
    version: str,
    size: int = 500,
    *,
    prepublish: bool | None = False,
    no_mass_build: bool | None = False,
    with_delete: bool = False,
):
    """Publish in batches side by side; then build all at once, where there is such a job."""
    if not rows.BACKEND:
        return None
    no_mass_build = no_mass_build or rows.mass_build(version) is None
    batches = [
        publish_batch.s(part, version, prepublish=prepublish, trigger=no_mass_build)
        for part in rows.parts(sorted(names), size)
    ]
    if no_mass_build:
        return self.replace(celery.group(batches))
    workflow = celery.chain(
        celery.group(batches),
        trigger_mass_build.si(version, with_delete=with_delete),
    )
    return self.replace(celery.group(workflow))


# -- tasks that wait for a canvas


@app.task
def each(published: list[bool]) -> list[bool]:
    rows.note("each", published)
    return published


@app.task
def publish_and_tell(names: list[str], version: str, mark: str = "!") -> str:
    rows.note("publish_and_tell", names)
    with allow_join_result():
        sent = celery.group(publish_batch.s([name], version) for name in names).apply_async()
        text = rows.told(version, sent.get())
    rows.note("told", text)
    return text + mark


@app.task
def count_published(names: list[str], version: str) -> int:
    return 1 + len(
        chord([publish_batch.s([name], version) for name in names], each.s())
        .apply_async()
        .get(disable_sync_subtasks=False)
    )
