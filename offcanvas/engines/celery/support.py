"""What Celery itself does with every part of a canvas, next to what it documents."""

from offcanvas.engines.features import DEVIATIONS, FAULTS, OLDER, Feature
from offcanvas.engines.support import differs, total, unsupported

SUPPORT = total(
    {
        **dict.fromkeys((*DEVIATIONS, *FAULTS), differs("as Celery 5.7 does")),
        **dict.fromkeys(OLDER, differs("as the Celery that is installed")),
        Feature.BURSTS: unsupported("refused: each task is a message of its own"),
        Feature.LONE_ACTIVITIES: unsupported("refused: each task is a message of its own"),
        Feature.BATCHES: unsupported("refused: each task is a message of its own"),
    }
)
