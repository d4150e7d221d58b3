"""A flow that stands for itself, as `offcanvas port` writes them: no Celery, no offcanvas."""

import os

from prefect import flow


class Bounced(Exception):  # noqa: N818  # a name of the example's
    pass


@flow(name="charge", persist_result=True)
def charge(order: int, cents: int = 0) -> int:
    if cents < 0:
        raise Bounced("no money")
    return 3 * cents


if __name__ == "__main__":
    charge.serve(name=os.environ["PORT_QUEUE"], limit=4)
