"""What the engine on Prefect does with every part of a canvas."""

from offcanvas.engines.features import Feature
from offcanvas.engines.support import differs, lowered, walked

_WAITS = lowered(
    "the flow run waits; a flow run that goes on in another worker waits anew from the beginning"
)

SUPPORT = walked(
    {
        Feature.NODE_GROUP: lowered(
            "task runs in the processes of one worker, at most 100 members at a time; other "
            "workers take other canvases, or slices of this one where spread= is given"
        ),
        Feature.NODE_CHORD: lowered("as a group, then the body; no counter in the result backend"),
        Feature.NODE_CHUNKS: lowered("as a group of starmaps"),
        Feature.OPTION_QUEUE: differs(
            "all tasks of a canvas run in the worker that walks it; the request names the queue"
        ),
        Feature.OPTION_PRIORITY: differs(
            "the request has the priority it was given (task_inherit_parent_priority gives none); "
            "tasks are begun in the order of the canvas"
        ),
        Feature.OPTION_COUNTDOWN: _WAITS,
        Feature.OPTION_ETA: lowered("the flow run waits"),
        Feature.OPTION_TIME_LIMIT: lowered(
            "the worker kills the task's process; Prefect's own timeout_seconds cannot interrupt "
            "a thread"
        ),
        Feature.OPTION_SOFT_TIME_LIMIT: lowered("an alarm in the task's process"),
        Feature.TASK_RETRY: lowered(
            "the task decides; Prefect retries the same task run with the delay asked for"
        ),
        Feature.RATE_LIMIT: lowered(
            "each worker keeps places for tasks at the pace of the limit; the flow run waits"
        ),
        Feature.TASK_ROUTES: differs(
            "as option queue; a function is asked when the canvas is sent, with the arguments that "
            "are known then"
        ),
        Feature.TASK_REQUEST: differs(
            "hostname is the worker's machine; delivery_info has no exchange"
        ),
        Feature.TASK_STARTS_CANVAS: lowered(
            "walked by the same flow run, from the tenth generation on by one of their own"
        ),
        Feature.RESULT_BACKEND: differs(
            "tasks that run have the state STARTED, as with task_track_started, unless they have "
            "acks_late"
        ),
        Feature.KILLED_WORKER: lowered(
            "after three missed heartbeats (15 s) another worker of the kit goes on with the "
            "canvas: its tasks fail with WorkerLostError or, with acks_late, run again; under "
            "Prefect's own workers the flow run is Crashed, and its Retry goes on; Celery's caller "
            "waits for ever"
        ),
        Feature.BURSTS: differs(
            "delay() returns before the server has the task: what a killed caller had not sent is "
            "lost; up to 500 tasks are one flow run, which is not found by their ids; one id that "
            "is sent twice runs twice, as on Celery"
        ),
        Feature.BATCHES: lowered(
            "one task run of the task's name, its members one after the other in one process; it "
            "is Failed if one of them has failed, and its message says which"
        ),
    }
)
