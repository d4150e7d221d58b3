"""Write what the golden tests compare with anew: `python -m tests.port`."""

import tempfile
from pathlib import Path

from tests.port.project import Folder
from tests.port.test_shop import GOLDEN

with tempfile.TemporaryDirectory() as name:
    shop = Folder.of_example("shop", Path(name) / "shop")
    for engine in ("temporal", "prefect"):
        ended = shop.port(".", "--to", engine, "--diff", *shop.all_samples())
        (GOLDEN / f"shop_{engine}.diff").write_text(ended.out)
    depot = Folder.of_example("depot", Path(name) / "apart")
    ended = depot.port(".", "--to", "prefect", "--diff")
    (GOLDEN / "depot_prefect.diff").write_text(ended.out)
