"""What the result backend still has: chords that are open, results that somebody may want."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from celery.backends.base import DisabledBackend
from redis.exceptions import RedisError

from offcanvas.drain.findings import Finding, Place
from offcanvas.drain.workers import Workers

#: Results whose time to live is asked for.
_SAMPLE = 1_000


def kept_results(app: Any, workers: Workers) -> Iterator[Finding]:
    """Open chords, and results."""
    backend: Any = app.backend
    client = getattr(backend, "client", None)
    if isinstance(backend, DisabledBackend):
        yield Finding(Place.CHORDS, 0)
        yield Finding(Place.RESULTS, 0, "the app keeps none")
    elif hasattr(client, "scan_iter"):
        yield from _redis(backend, client)
    elif getattr(backend, "implements_incr", False):
        why = f"{type(backend).__name__} counts chords where nobody can list them"
        yield Finding(Place.CHORDS, None, why)
        yield Finding(Place.RESULTS, None, "this backend does not list them")
    else:
        # Such a backend has a task that polls for each chord, in a queue or in a worker's hands.
        tasks = [one.get("request", one) for one in (*workers.scheduled, *workers.reserved)]
        polls = sum(one["name"] == "celery.chord_unlock" for one in tasks)
        yield Finding(Place.CHORDS, polls, "each a celery.chord_unlock" if polls else "")
        yield Finding(Place.RESULTS, None, "this backend does not list them")


def _redis(backend: Any, client: Any) -> Iterator[Finding]:
    try:
        # The size of a chord is kept from its start until its body is sent or has failed
        # (celery.backends.redis).
        sizes = backend.get_key_for_group("*", ".s")
        chords = [_text(key) for key in client.scan_iter(match=sizes, count=1_000)]
        results = client.scan_iter(match=backend.get_key_for_task("*"), count=1_000)
        sample = list(islice(results, _SAMPLE))
        more = sum(1 for _ in results)
        longest = max((int(client.ttl(key)) for key in sample), default=0)
    except RedisError as error:
        reason = f"the result backend does not answer: {error}"
        yield Finding(Place.CHORDS, None, reason)
        yield Finding(Place.RESULTS, None, reason)
        return
    prefix, suffix = (
        _text(part) for part in sizes.split(b"*" if isinstance(sizes, bytes) else "*")
    )
    ids = sorted(key.removeprefix(prefix).removesuffix(suffix) for key in chords)
    yield Finding(Place.CHORDS, len(ids), f"groups {', '.join(ids[:3])}" if ids else "")
    detail = f"the last expires in {longest} s" if sample else ""
    yield Finding(Place.RESULTS, len(sample) + more, detail)


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key
