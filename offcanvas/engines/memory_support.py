"""What the engine in memory does with every part of a canvas."""

from offcanvas.engines.support import differs, lowered, walked

_NO_BROKER = "there is no broker between caller and task"

SUPPORT = walked(
    {
        "option: queue": differs(f"{_NO_BROKER}; the request names the queue"),
        "option: priority": differs(
            f"{_NO_BROKER}; the request has the priority it was given "
            "(task_inherit_parent_priority gives none)"
        ),
        "option: countdown": lowered("a clock that jumps to the next thing to wait for"),
        "option: eta": lowered("a clock that jumps to the next thing to wait for"),
        "option: time_limit": differs(
            "raised in the task by a signal, in the main thread only; nothing is killed, but with "
            "reroute, where tasks run in processes apart"
        ),
        "option: soft_time_limit": lowered("a signal, in the main thread only"),
        "in a task: self.request": differs("hostname and delivery_info are this process's"),
        "results in the app's result backend": lowered("a dictionary for the time of the run"),
        "a worker that is killed": differs(
            "there is none: what runs ends with this process; with reroute, a task whose own "
            "process dies fails with WorkerLostError"
        ),
    }
)
