"""What the engine on Prefect does with every part of a canvas."""

from offcanvas.engines.support import differs, lowered, walked

_WAITS = lowered(
    "the flow run waits; a flow run that goes on in another worker waits anew from the beginning"
)

SUPPORT = walked(
    {
        "node: group": lowered(
            "task runs in the processes of one worker, at most 100 members at a time; other "
            "workers take other canvases"
        ),
        "node: chord": lowered("as a group, then the body; no counter in the result backend"),
        "node: chunks": lowered("as a group of starmaps"),
        "option: queue": differs(
            "all tasks of a canvas run in the worker that walks it; the request names the queue"
        ),
        "option: priority": differs(
            "the request has the priority it was given (task_inherit_parent_priority gives none); "
            "tasks are begun in the order of the canvas"
        ),
        "option: countdown": _WAITS,
        "option: eta": lowered("the flow run waits"),
        "option: time_limit": lowered(
            "the worker kills the task's process; Prefect's own timeout_seconds cannot interrupt "
            "a thread"
        ),
        "option: soft_time_limit": lowered("an alarm in the task's process"),
        "in a task: self.retry and autoretry_for": lowered(
            "the task decides; Prefect retries the same task run with the delay asked for"
        ),
        "in a task: self.request": differs(
            "hostname is the worker's machine; delivery_info has no exchange"
        ),
        "in a task: canvases started inside": lowered(
            "walked by the same flow run, from the tenth generation on by one of their own"
        ),
        "results in the app's result backend": differs(
            "tasks that run have the state STARTED, as with task_track_started, unless they have "
            "acks_late"
        ),
        "a worker that is killed": lowered(
            "after three missed heartbeats (15 s) another worker of the kit goes on with the "
            "canvas: its tasks fail with WorkerLostError or, with acks_late, run again; under "
            "Prefect's own workers the flow run is Crashed, and its Retry goes on; Celery's caller "
            "waits for ever"
        ),
    }
)
