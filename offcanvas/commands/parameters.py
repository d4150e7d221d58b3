"""Parameters that several commands share."""

from typing import Annotated

import typer

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="package.module:name of a canvas, a task, or a function that returns or sends one.",
    ),
]
App = Annotated[
    str | None,
    typer.Option("--app", "-A", metavar="APP", help="The Celery app, named as for celery -A."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        help="An argument for the function or task, as a Python literal (True, None, [1, 2]) or "
        "text; name=value for a keyword argument. Repeat for more.",
    ),
]
