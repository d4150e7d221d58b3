"""What the engine in memory does with every part of a canvas."""

from offcanvas.engines.features import Feature
from offcanvas.engines.support import differs, lowered, walked

_NO_BROKER = "there is no broker between caller and task"

SUPPORT = walked(
    {
        Feature.OPTION_QUEUE: differs(f"{_NO_BROKER}; the request names the queue"),
        Feature.OPTION_PRIORITY: differs(
            f"{_NO_BROKER}; the request has the priority it was given "
            "(task_inherit_parent_priority gives none)"
        ),
        Feature.OPTION_COUNTDOWN: lowered("a clock that jumps to the next thing to wait for"),
        Feature.OPTION_ETA: lowered("a clock that jumps to the next thing to wait for"),
        Feature.OPTION_TIME_LIMIT: differs(
            "raised in the task by a signal, in the main thread only; nothing is killed, but with "
            "reroute, where tasks run in processes apart"
        ),
        Feature.OPTION_SOFT_TIME_LIMIT: lowered("a signal, in the main thread only"),
        Feature.RATE_LIMIT: lowered(
            "with reroute, places for tasks at the pace of the limit; run's clock jumps to them"
        ),
        Feature.TASK_ROUTES: differs(
            f"{_NO_BROKER}; the request names the queue; a function is asked when the canvas is "
            "sent, with the arguments that are known then"
        ),
        Feature.TASK_REQUEST: differs("hostname and delivery_info are this process's"),
        Feature.RESULT_BACKEND: lowered("a dictionary for the time of the run"),
        Feature.KILLED_WORKER: differs(
            "there is none: what runs ends with this process; with reroute, a task whose own "
            "process dies fails with WorkerLostError"
        ),
    }
)
