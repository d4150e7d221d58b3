"""Leaves a trace where it is imported: a flow run names it, whose worker serves another app."""

import os
from pathlib import Path

from tests.engines.apart import app

__all__ = ["app"]
#: The environment variable that names the file of the trace.
TRACE = "OFFCANVAS_TEST_TRACE"

Path(os.environ[TRACE]).write_text("imported")
