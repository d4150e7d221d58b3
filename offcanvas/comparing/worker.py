"""A worker of Temporal for an app with other settings than its own, as a process.

    python -m offcanvas.comparing.worker JSON

JSON is an object: ``app`` (``module:name``), ``path`` (``sys.path``), ``settings`` (for
``app.conf``), ``address`` of the server and ``task_queue``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


def main() -> None:
    """Be the worker."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    sys.path[:] = given["path"]
    from offcanvas.celery_app.importable import load_app
    from offcanvas.celery_app.settings import change_settings

    app = load_app(given["app"])
    change_settings(app, given["settings"])

    async def work() -> None:
        from temporalio.client import Client

        from offcanvas.engines.temporal.serving import serve

        client = await Client.connect(given["address"])
        await serve(
            client,
            app,
            task_queue=given["task_queue"],
            processes=2,
            ready=lambda: print("at work ", flush=True),  # noqa: T201  # who has started it waits
        )

    asyncio.run(work())


if __name__ == "__main__":
    main()
