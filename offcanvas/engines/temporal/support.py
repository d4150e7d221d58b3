"""What the engine on Temporal does with every part of a canvas."""

from offcanvas.engines.support import differs, lowered, total, unsupported

_ANSWERS = differs("the caller gets the failure, or the value, instead of waiting for ever")

SUPPORT = total(
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
            "the request has the priority; brokers disagree whether 0 or 9 comes first, so that "
            "activities are not ordered by it"
        ),
        "option: countdown": lowered("a durable timer"),
        "option: eta": lowered("a durable timer"),
        "option: time_limit": lowered(
            "the worker kills the task's process; start_to_close_timeout is 30 s more, for a "
            "worker that hangs"
        ),
        "option: soft_time_limit": lowered("an alarm in the task's process"),
        "option: serializer": differs("everything is carried as JSON"),
        "option: extra": differs(
            "headers reach the request; there is no broker to read the others"
        ),
        "in a task: self.request": differs(
            "hostname is the worker's machine; delivery_info has no exchange"
        ),
        "in a task: canvases started inside": lowered("a workflow of its own that is abandoned"),
        "values of other serializers": unsupported(
            "everything is carried as JSON; use the JSON serializer"
        ),
        "signals of messages: before_task_publish, after_task_publish, task_received": differs(
            "not sent: no message is published and no consumer takes one; put what they add to the "
            "headers into the signature's"
        ),
        "a generator for a header": differs("is read to its end before the first task starts"),
        "Ignore and Reject": differs(
            "Reject ends the task like Ignore; there is no queue to requeue to"
        ),
        "a result that the serializer refuses": differs(
            "the task fails and the chain stops; Celery has sent an immutable next step by then"
        ),
        "a worker that is killed": lowered(
            "after 20 s without a heartbeat its tasks fail with WorkerLostError or, with "
            "acks_late, run again; Celery's caller waits for ever"
        ),
        "hang: a failed chain that ends in a group (celery/celery#4004, #6437)": _ANSWERS,
        "hang: an empty group for the body of a chord": _ANSWERS,
        "hang: a failed header of a chord inside a header": _ANSWERS,
        "hang: one chain for a header, around one group, empty or with a chord in it": _ANSWERS,
        "hang: a group of chords and others at the end of a part of a header": _ANSWERS,
        "lost: callbacks that follow self.replace(group) in a chain": differs("they are fired"),
    }
)
