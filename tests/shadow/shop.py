"""The shop of tests/port, recorded; its runs are made by a real worker."""

import json
import os
import subprocess
import sys

from offcanvas.servers import redis
from tests.port.project import Folder

#: Each root with arguments that take every branch of it.
CASES = [
    ("rolls", {"run_id": "good"}),
    ("rolls", {"run_id": "bad"}),
    ("import_feed", {"url": "flaky"}),
    ("import_feed", {"url": "gone"}),
    ("import_feed", {"url": "fine"}),
    ("previews", {"path": "A"}),
    ("nightly", {"day": "monday"}),
]
_SEND = """
import json, sys
from shop import tasks
for name, given in json.loads(sys.argv[1]):
    try:
        getattr(tasks, name)(**given).apply_async().get(timeout=30)
    except Exception:
        pass
"""
SWITCH = """
import os

from offcanvas.shadow import record

if "SHOP_BROKER" in os.environ:
    app.conf.update(broker_url=os.environ["SHOP_BROKER"], result_backend=os.environ["SHOP_BROKER"])

record(app, "recording", roots_of=["shop.tasks:" + n for n in
                                   ("rolls", "import_feed", "previews", "nightly")])
"""


def recorded(path, times=1):
    """A folder with the shop, its port, and a recording of all cases by a Celery worker."""
    folder = Folder.of_example("shop", path)
    for engine in ("temporal", "prefect"):
        ported = folder.port(".", "--to", engine, *folder.all_samples())
        assert ported.code == 1, ported.err
    module = folder.path / "shop" / "tasks.py"
    module.write_text(module.read_text() + SWITCH)
    with redis(tcp=True) as server:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", "-A", "shop.tasks", "worker",
             "-c", "2", "-l", "ERROR", "-Q", "celery,heavy"],
            cwd=folder.path, start_new_session=True,
            env={**os.environ, "SHOP_LEDGER": str(folder.path / "ledger.jsonl"),
                 "SHOP_BROKER": server.url},
        )  # fmt: skip
        try:
            ended = folder.run(
                "-c", _SEND, json.dumps(CASES * times), SHOP_BROKER=server.url,
            )  # fmt: skip
            assert ended.code == 0, ended.err
        finally:
            worker.terminate()
            worker.wait(60)
    return folder
