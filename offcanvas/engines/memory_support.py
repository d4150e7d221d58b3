"""What the engine in memory does with every part of a canvas."""

from offcanvas.engines.support import differs, lowered, total, unsupported

_ANSWERS = differs("the caller gets the failure, or the value, instead of waiting for ever")
_NO_BROKER = "there is no broker between caller and task"

SUPPORT = total(
    {
        "option: queue": differs(f"{_NO_BROKER}; the request names the queue"),
        "option: priority": differs(f"{_NO_BROKER}; the request has the priority"),
        "option: countdown": lowered("a clock that jumps to the next thing to wait for"),
        "option: eta": lowered("a clock that jumps to the next thing to wait for"),
        "option: time_limit": differs(
            "raised in the task by a signal, in the main thread only; nothing is killed, but with "
            "reroute, where tasks run in processes apart"
        ),
        "option: soft_time_limit": lowered("a signal, in the main thread only"),
        "option: serializer": differs("everything is carried as JSON"),
        "option: extra": differs(f"headers reach the request; {_NO_BROKER} to read the others"),
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
        "in a task: self.request": differs("hostname and delivery_info are this process's"),
        "results in the app's result backend": lowered("a dictionary for the time of the run"),
        "a worker that is killed": differs(
            "there is none: what runs ends with this process; with reroute, a task whose own "
            "process dies fails with WorkerLostError"
        ),
        "hang: a failed chain that ends in a group (celery/celery#4004, #6437)": _ANSWERS,
        "hang: an empty group for the body of a chord": _ANSWERS,
        "hang: a failed header of a chord inside a header": _ANSWERS,
        "hang: one chain for a header, around one group, empty or with a chord in it": _ANSWERS,
        "hang: a group of chords and others at the end of a part of a header": _ANSWERS,
        "fails: an empty chain where a task has to be": differs(
            "it is left out; for the body of a chord it is refused"
        ),
        "lost: callbacks that follow self.replace(group) in a chain": differs("they are fired"),
    }
)
