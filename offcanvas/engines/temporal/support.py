"""What the engine on Temporal does with every part of a canvas."""

from offcanvas.engines.features import Feature
from offcanvas.engines.support import differs, lowered, walked

SUPPORT = walked(
    {
        Feature.NODE_GROUP: lowered(
            "at most 100 activities at a time in one history; more than 1,000 tasks are cut into "
            "child workflows"
        ),
        Feature.NODE_CHORD: lowered("as a group, then the body; no counter in the result backend"),
        Feature.NODE_CHUNKS: lowered("as a group of starmaps"),
        Feature.OPTION_QUEUE: lowered(
            "a task queue where the caller names one for it, else that of the workflow; the "
            "request names Celery's"
        ),
        Feature.OPTION_PRIORITY: differs(
            "the request has the priority it was given (task_inherit_parent_priority gives none); "
            "brokers disagree whether 0 or 9 comes first, so that "
            "activities are not ordered by it"
        ),
        Feature.OPTION_COUNTDOWN: lowered("a durable timer"),
        Feature.OPTION_ETA: lowered("a durable timer"),
        Feature.OPTION_TIME_LIMIT: lowered(
            "the worker kills the task's process; start_to_close_timeout is 30 s more, for a "
            "worker that hangs"
        ),
        Feature.OPTION_SOFT_TIME_LIMIT: lowered("an alarm in the task's process"),
        Feature.RATE_LIMIT: lowered(
            "each worker keeps places for tasks at the pace of the limit; a durable timer waits"
        ),
        Feature.TASK_ROUTES: differs(
            "as option queue; a function is asked when the canvas is sent, with the arguments that "
            "are known then"
        ),
        Feature.TASK_REQUEST: differs(
            "hostname is the worker's machine; delivery_info has no exchange"
        ),
        Feature.TASK_STARTS_CANVAS: lowered("a workflow of its own that is abandoned"),
        Feature.KILLED_WORKER: lowered(
            "after 20 s without a heartbeat its tasks fail with WorkerLostError or, with "
            "acks_late, run again; Celery's caller waits for ever"
        ),
        Feature.BURSTS: differs(
            "delay() returns before the server has the task: what a killed caller had not sent is "
            "lost; up to 500 tasks are one workflow, which does not fail with them and is not "
            "found by their ids; one id that is sent twice runs twice, as on Celery"
        ),
        Feature.LONE_ACTIVITIES: differs(
            "an activity of the task's name and id; what goes on after the first attempt (a retry, "
            "a replacement) and what waits first (countdown, eta, a rate limit) is a workflow; one "
            "id that is sent again while its retry waits runs twice, as on Celery"
        ),
        Feature.BATCHES: lowered(
            "one activity of the task's name, its members one after the other in one process; one "
            "that fails does not fail the activity, whose result says which have"
        ),
    }
)
