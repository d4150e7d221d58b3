"""What Celery itself does with every part of a canvas, next to what it documents."""

from offcanvas.canvas.rules import Deviation
from offcanvas.engines.support import HANGS, OLDER, differs, total

SUPPORT = total(
    {
        **{
            f"deviation: {deviation.name.lower()}": differs("as Celery 5.7 does")
            for deviation in Deviation
        },
        **{hang: differs("as Celery 5.7 does") for hang in HANGS},
        **dict.fromkeys(OLDER, differs("as the Celery that is installed")),
    }
)
