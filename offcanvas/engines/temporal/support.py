"""What the engine on Temporal does with every part of a canvas."""

from offcanvas.engines.support import differs, lowered, walked

SUPPORT = walked(
    {
        "node: group": lowered(
            "at most 100 activities at a time in one history; more than 500 tasks are cut into "
            "child workflows"
        ),
        "node: chord": lowered("as a group, then the body; no counter in the result backend"),
        "node: chunks": lowered("as a group of starmaps"),
        "option: queue": lowered(
            "a task queue where the caller names one for it, else that of the workflow; the "
            "request names Celery's"
        ),
        "option: priority": differs(
            "the request has the priority it was given (task_inherit_parent_priority gives none); "
            "brokers disagree whether 0 or 9 comes first, so that "
            "activities are not ordered by it"
        ),
        "option: countdown": lowered("a durable timer"),
        "option: eta": lowered("a durable timer"),
        "option: time_limit": lowered(
            "the worker kills the task's process; start_to_close_timeout is 30 s more, for a "
            "worker that hangs"
        ),
        "option: soft_time_limit": lowered("an alarm in the task's process"),
        "in a task: self.request": differs(
            "hostname is the worker's machine; delivery_info has no exchange"
        ),
        "in a task: canvases started inside": lowered("a workflow of its own that is abandoned"),
        "a worker that is killed": lowered(
            "after 20 s without a heartbeat its tasks fail with WorkerLostError or, with "
            "acks_late, run again; Celery's caller waits for ever"
        ),
    }
)
