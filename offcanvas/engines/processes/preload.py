"""What the fork server imports: the app's module, so that a new process is there in milliseconds.

Whatever goes wrong here goes wrong in each process as well, which says why; the fork server must
not end of it.
"""

import os
from contextlib import suppress

from offcanvas.engines.processes import process

#: Names the module.
VARIABLE = "OFFCANVAS_PRELOAD"

if VARIABLE in os.environ:
    with suppress(BaseException):
        process.import_module_of_app(os.environ[VARIABLE])
