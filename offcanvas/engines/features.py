"""Everything that an engine can do as Celery does or otherwise, one name each.

A feature's value is its slug: the anchor of its row in docs/support.md, and what programs compare.
Its ``text`` is what people read, in tables, refusals and verdicts.
"""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from typing import Final

from offcanvas.canvas.nodes import Options
from offcanvas.canvas.planner import Deviation

#: Options that ``freeze`` and the walker set: the plan's business, on every engine.
NOT_FEATURES: Final = frozenset(
    {"task_id", "root_id", "parent_id", "group_id", "group_index", "retries"}
    | {"replaced_task_nesting", "sent_by_class", "sent_beside"}
)


class Feature(StrEnum):
    """One row of the support tables."""

    text: str

    def __new__(cls, slug: str, text: str) -> Feature:
        """A feature with this slug; ``text`` is for people."""
        made = str.__new__(cls, slug)
        made._value_ = slug
        made.text = text
        return made

    # Parts of a canvas.
    NODE_TASK = ("node-task", "node: task")
    NODE_CHAIN = ("node-chain", "node: chain")
    NODE_GROUP = ("node-group", "node: group")
    NODE_CHORD = ("node-chord", "node: chord")
    NODE_MAP = ("node-map", "node: map")
    NODE_STARMAP = ("node-starmap", "node: starmap")
    NODE_CHUNKS = ("node-chunks", "node: chunks")
    # Options of its parts.
    OPTION_QUEUE = ("option-queue", "option: queue")
    OPTION_PRIORITY = ("option-priority", "option: priority")
    OPTION_COUNTDOWN = ("option-countdown", "option: countdown")
    OPTION_ETA = ("option-eta", "option: eta")
    OPTION_EXPIRES = ("option-expires", "option: expires")
    OPTION_TIME_LIMIT = ("option-time-limit", "option: time_limit")
    OPTION_SOFT_TIME_LIMIT = ("option-soft-time-limit", "option: soft_time_limit")
    OPTION_IGNORE_RESULT = ("option-ignore-result", "option: ignore_result")
    OPTION_SERIALIZER = ("option-serializer", "option: serializer")
    OPTION_SHADOW = ("option-shadow", "option: shadow")
    OPTION_STAMPS = ("option-stamps", "option: stamps")
    OPTION_LINK = ("option-link", "option: link")
    OPTION_LINK_ERROR = ("option-link-error", "option: link_error")
    OPTION_EXTRA = ("option-extra", "option: extra")
    # What tasks do while they run, and what the platform does around them.
    TASK_RETRY = ("task-retry", "in a task: self.retry and autoretry_for")
    TASK_RETRY_OPTIONS = ("task-retry-options", "in a task: self.retry with options of the call")
    TASK_RETRY_QUIETLY = ("task-retry-quietly", "in a task: self.retry(throw=False)")
    TASK_REQUEST_CHAIN = ("task-request-chain", "in a task: self.request.chain is changed")
    TASK_REPLACE = ("task-replace", "in a task: self.replace")
    TASK_ADD_TO_CHORD = ("task-add-to-chord", "in a task: self.add_to_chord")
    TASK_STARTS_CANVAS = ("task-starts-canvas", "in a task: canvases started inside")
    TASK_REQUEST = ("task-request", "in a task: self.request")
    TASK_RESULT_GET = ("task-result-get", "in a task: result.get() is refused")
    TASK_REVOKE = ("task-revoke", "in a task: result.revoke()")
    REVOKE_BY_STAMP = ("revoke-by-stamp", "revoke by id and by stamped headers")
    OWN_SENDING = (
        "own-sending",
        "apply_async of a custom base class, send_task of a custom app",
    )
    TASK_ROUTES = ("task-routes", "task_routes: names, patterns and functions")
    RATE_LIMIT = ("rate-limit", "rate_limit of tasks")
    CONTROL_LIMITS = ("control-limits", "app.control.rate_limit and app.control.time_limit")
    PYDANTIC_MODELS = ("pydantic-models", "models as arguments of pydantic tasks")
    OTHER_SERVICES = ("other-services", "tasks that the app does not know")
    HOOKS_AND_SIGNALS = ("hooks-and-signals", "hooks of custom bases, signals of tasks")
    MESSAGE_SIGNALS = (
        "message-signals",
        "signals of messages: before_task_publish, after_task_publish, task_received",
    )
    GENERATOR_HEADER = ("generator-header", "a generator for a header")
    JSON_VALUES = ("json-values", "values of the JSON serializer")
    OTHER_SERIALIZERS = ("other-serializers", "values of other serializers")
    IGNORE_AND_REJECT = ("ignore-and-reject", "Ignore and Reject")
    REFUSED_RESULT = ("refused-result", "a result that the serializer refuses")
    ODD_EXCEPTIONS = (
        "odd-exceptions",
        "errors that are no Exception, have no text, or cannot be made again",
    )
    MISFIT_ERRBACK = ("misfit-errback", "an errback whose arguments do not fit")
    MISFIT_IN_BODY = (
        "misfit-in-body",
        "a member of a group for a body whose arguments do not fit",
    )
    RAISED_WORKER_LOST = ("raised-worker-lost", "a task that raises WorkerLostError itself")
    STORED_EXCEPTIONS = ("stored-exceptions", "exceptions as Celery stores them")
    RESULT_BACKEND = ("result-backend", "results in the app's result backend")
    KILLED_WORKER = ("killed-worker", "a worker that is killed")
    BURSTS = ("bursts", 'lone="burst": tasks sent alone go to the server together')
    LONE_ACTIVITIES = (
        "lone-activities",
        'lone="activity": tasks sent alone are activities without a workflow',
    )
    BATCHES = ("batches", "batch=: members of a group that run together")
    # Where Celery 5.7 does not do what it documents; the default is what it documents.
    DEVIATION_NESTED_GROUP_ORDER = (
        "deviation-nested-group-order",
        Deviation.NESTED_GROUP_ORDER.value,
    )
    DEVIATION_GROUP_BODY_THEN_GROUP = (
        "deviation-group-body-then-group",
        Deviation.GROUP_BODY_THEN_GROUP.value,
    )
    DEVIATION_INNER_CALLBACKS = ("deviation-inner-callbacks", Deviation.INNER_CALLBACKS.value)
    DEVIATION_INNER_OPTIONS = ("deviation-inner-options", Deviation.INNER_OPTIONS.value)
    DEVIATION_ARGUMENTS_OF_A_LEADING_GROUP = (
        "deviation-arguments-of-a-leading-group",
        Deviation.ARGUMENTS_OF_A_LEADING_GROUP.value,
    )
    DEVIATION_CHORDS_THAT_END_A_HEADER = (
        "deviation-chords-that-end-a-header",
        Deviation.CHORDS_THAT_END_A_HEADER.value,
    )
    DEVIATION_CHUNKS_INSIDE = ("deviation-chunks-inside", Deviation.CHUNKS_INSIDE.value)
    # Where Celery 5.7 leaves its caller waiting for ever, fails, or loses something.
    HANG_CHAIN_ENDS_IN_GROUP = (
        "hang-chain-ends-in-group",
        "hang: a failed chain that ends in a group (celery/celery#4004, #6437)",
    )
    HANG_EMPTY_GROUP_BODY = (
        "hang-empty-group-body",
        "hang: an empty group for the body of a chord",
    )
    HANG_CHORD_IN_HEADER = (
        "hang-chord-in-header",
        "hang: a failed header of a chord inside a header",
    )
    HANG_CHAIN_AROUND_GROUP_HEADER = (
        "hang-chain-around-group-header",
        "hang: one chain for a header, around one group, empty or with a chord in it",
    )
    HANG_GROUP_OF_CHORDS_IN_HEADER = (
        "hang-group-of-chords-in-header",
        "hang: a group of chords and others at the end of a part of a header",
    )
    HANG_CHORD_BODY_CHORD = (
        "hang-chord-body-chord",
        "hang: a failed chord with a chord for a body, inside a canvas",
    )
    HANG_IGNORE = ("hang-ignore", "hang: Ignore in a chain, group or chord")
    HANG_REVOKED = (
        "hang-revoked",
        "hang: a revoked or expired step of a chain inside a group or a header",
    )
    HANG_IGNORED_FAILURE = (
        "hang-ignored-failure",
        "hang: a failed step that ignores its result, with another after it",
    )
    HANG_IGNORED_IN_HEADER = (
        "hang-ignored-in-header",
        "hang: a task that ignores its result in a group at the end of a part of a header",
    )
    HANG_ODD_ERROR_IN_HEADER = (
        "hang-odd-error-in-header",
        "hang: an error without a text, or that is no Exception, in a header that ends in a group",
    )
    FAILS_IGNORED_BESIDE_EMPTY_CHAIN = (
        "fails-ignored-beside-empty-chain",
        "fails: a task that ignores its result, in a header with a chain around an empty group",
    )
    FAILS_CHUNKS_OF_NOTHING = (
        "fails-chunks-of-nothing",
        "fails: chunks of nothing after a group with a chord in it, in the body of a chord",
    )
    FAILS_EMPTY_CHAIN = ("fails-empty-chain", "fails: an empty chain where a task has to be")
    LOST_CALLBACKS_OF_REPLACED_GROUP = (
        "lost-callbacks-of-replaced-group",
        "lost: callbacks that follow self.replace(group) in a chain",
    )
    LOST_ERRBACKS_OF_EMPTY_HEADER = (
        "lost-errbacks-of-empty-header",
        "lost: errbacks around a chord with an empty header, inside a header",
    )
    TWICE_ERRBACK_OF_GROUP_BODY = (
        "twice-errback-of-group-body",
        "twice: an errback of a group for a body, and of the chain around its chord",
    )
    TWICE_AFTER_GROUP_BODY = (
        "twice-after-group-body",
        "twice: what comes second after a chord with a group for a body, in a chain",
    )
    # What Celery 5.6 still does and 5.7 no longer; engines do as 5.7 does whichever is installed.
    OLDER_CHAIN_BODY_IN_GROUP = (
        "older-chain-body-in-group",
        "Celery 5.6 only: a chord in a group with a chain for its body hangs (celery/celery#6734)",
    )
    OLDER_CALLBACKS_OF_REPLACED_TASK = (
        "older-callbacks-of-replaced-task",
        "Celery 5.6 only: callbacks of a task that a chain replaces are called twice",
    )
    OLDER_RAISING_ERRBACK = (
        "older-raising-errback",
        "Celery 5.6 only: an errback that raises takes the others with it (celery/celery#10214)",
    )
    OLDER_SMALL_GROUPS_IN_CHAIN = (
        "older-small-groups-in-chain",
        "Celery 5.6 only: chains with a group of one or none, or three (celery/celery#9772)",
    )

    @classmethod
    def of_node(cls, kind: str) -> Feature:
        """The feature of a node of this kind (``canvas.nodes.KINDS``)."""
        return cls[f"NODE_{kind.upper()}"]

    @classmethod
    def of_option(cls, name: str) -> Feature:
        """The feature of an option of this name (``canvas.nodes.Options``).

        Raises:
            KeyError: it is not an option, or one of ``NOT_FEATURES``.
        """
        return cls[f"OPTION_{name.upper()}"]

    @classmethod
    def of_deviation(cls, deviation: Deviation) -> Feature:
        """The feature of a place where Celery does otherwise than it documents."""
        return cls[f"DEVIATION_{deviation.name}"]


#: Names of the options that are features.
OPTIONS: Final = tuple(item.name for item in fields(Options) if item.name not in NOT_FEATURES)
DEVIATIONS: Final = tuple(map(Feature.of_deviation, Deviation))
#: Where Celery 5.7 leaves its caller waiting, fails, or loses something.
FAULTS: Final = tuple(
    one for one in Feature if one.startswith(("hang-", "fails-", "lost-", "twice-"))
)
#: What only Celery 5.6 still does.
OLDER: Final = tuple(one for one in Feature if one.startswith("older-"))
