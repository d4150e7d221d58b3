"""Sites that are synced from a Drive, and published in batches."""

import logging
from collections import Counter

import celery
from celery import chain, chord

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
