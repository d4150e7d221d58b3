"""What an engine says about every part of a canvas, as data.

Every engine has a ``Table``: a level and a note for every feature. Tables are total (a test sees to
it), are looked at before anything starts, and are what the documentation is made of
(``support_page``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from offcanvas.canvas.nodes import NO_OPTIONS, Node, Options, Place, kind, walk
from offcanvas.engines.features import OLDER, OPTIONS, Feature
from offcanvas.errors import Gap, UnsupportedCanvas


class Level(StrEnum):
    """How close an engine comes to Celery."""

    EXACT = "exact"
    LOWERED = "lowered"
    DIFFERS = "differs"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Support:
    """One cell: for anything but EXACT the note says how, what to decide, or why not."""

    level: Level
    note: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.EXACT and not self.note:
            raise ValueError(f"{self.level} needs a note")


EXACT = Support(Level.EXACT)


def lowered(note: str) -> Support:
    """The engine has no such thing; ``note`` says what stands in, with the same meaning."""
    return Support(Level.LOWERED, note)


def differs(note: str) -> Support:
    """The meaning changes; ``note`` says how, and what to decide."""
    return Support(Level.DIFFERS, note)


def unsupported(note: str) -> Support:
    """A canvas with it is refused; ``note`` says why, and what to do instead."""
    return Support(Level.UNSUPPORTED, note)


Table = Mapping[Feature, Support]


def total(rows: Mapping[Feature, Support]) -> Table:
    """A table of all features from the rows that are not exact."""
    older = dict.fromkeys(OLDER, differs("as Celery 5.7 does"))
    return {feature: rows.get(feature, older.get(feature, EXACT)) for feature in Feature}


_ANSWERS = differs("the caller gets the failure, or the value, instead of waiting for ever")
#: What follows from the walk, on whichever engine.
_WALKED = {
    Feature.OPTION_SERIALIZER: differs(
        "everything is carried as JSON, as the app's serializer writes it; one that writes none is "
        "refused: see values of other serializers"
    ),
    Feature.OPTION_EXTRA: differs(
        "headers reach the request; there is no broker to read the others"
    ),
    Feature.TASK_REVOKE: differs("is told when the task that revokes has ended"),
    Feature.OTHER_SERIALIZERS: unsupported(
        "everything is carried as JSON; use the JSON serializer, or your own that writes JSON"
    ),
    Feature.MESSAGE_SIGNALS: differs(
        "not sent: no message is published and no consumer takes one; put what they add to the "
        "headers into the signature's"
    ),
    Feature.GENERATOR_HEADER: differs("is read to its end before the first task starts"),
    Feature.IGNORE_AND_REJECT: differs(
        "a task that is requeued (acks_late and Reject(requeue=True)) comes back after a second"
    ),
    Feature.TASK_RETRY_OPTIONS: differs(
        "args, kwargs, delays, queue, priority, expires, limits, ignore_result, shadow, headers, "
        "link and link_error are followed; a serializer that writes no JSON fails the task with "
        "Reject; where the task stands (its id, group, chord, root), stamps, argsrepr and reply_to "
        "stay as they are"
    ),
    Feature.TASK_RETRY_QUIETLY: differs(
        "the retry runs, and all that follows it; it does not count a second time in a chord"
    ),
    Feature.TASK_REQUEST_CHAIN: differs(
        "the next steps, of 30 tasks together, are there to be read and changed; those beyond can "
        "be moved and left out, and say only where they stand; a step put behind a group at the "
        "end gets the list of its values, and Celery hands it to each member"
    ),
    Feature.REVOKE_BY_STAMP: differs(
        "is told to canvases that run, which store it when they come to the task; Celery's workers "
        "store it at once, and remember it for tasks that come"
    ),
    Feature.OWN_SENDING: differs(
        "asked when and where Celery asks them; but for the body of a chord, and for a group of "
        "more than 30 tasks that follows a task, in the process that runs the task: the current "
        "task is the one before, as far as its id and its headers go; what it sends besides while "
        "run sends the canvas begins with the task; to wait for that is refused; a revoke there "
        "is a warning"
    ),
    Feature.CONTROL_LIMITS: unsupported(
        "refused: workers that run hear nothing of it; set the limits of the task, for example in "
        "task_annotations, and start them again"
    ),
    Feature.OTHER_SERVICES: differs(
        "sent to the broker, as before; in a canvas with tasks of this app it is a warning, and "
        "the task fails with NotRegistered where the worker does not know it either; run and check "
        "refuse it"
    ),
    Feature.MISFIT_ERRBACK: differs(
        "its TypeError is the task's error, as in Celery; errbacks before it are called once, and "
        "not three times"
    ),
    Feature.MISFIT_IN_BODY: differs(
        "the chord fails with the same error, and the other members run; Celery has sent those "
        "before it, and revokes them unless they have begun"
    ),
    Feature.RAISED_WORKER_LOST: differs(
        "its errbacks are called once; Celery's worker takes the error for its own and calls them "
        "a second time"
    ),
    Feature.REFUSED_RESULT: differs(
        "the task fails and the chain stops; Celery has sent an immutable next step by then, and "
        "in a chord's header its worker may wait for the rest for ever, taking no further task"
    ),
    Feature.BURSTS: unsupported("refused: each task goes by itself"),
    Feature.LONE_ACTIVITIES: unsupported("refused: Temporal alone has such activities"),
    Feature.BATCHES: unsupported("refused: tasks are run one by one"),
    Feature.HANG_CHAIN_ENDS_IN_GROUP: _ANSWERS,
    Feature.HANG_EMPTY_GROUP_BODY: _ANSWERS,
    Feature.HANG_CHORD_IN_HEADER: differs(
        "the caller is answered, errbacks are called, and told that the outer chord could not be "
        "joined; where a group of one member and empty ones follows, Celery does not hang, and "
        "tells them of the inner chord alone"
    ),
    Feature.HANG_CHAIN_AROUND_GROUP_HEADER: _ANSWERS,
    Feature.HANG_GROUP_OF_CHORDS_IN_HEADER: _ANSWERS,
    Feature.HANG_CHORD_BODY_CHORD: _ANSWERS,
    Feature.HANG_REVOKED: differs(
        "the chord fails, and so does what follows the group; the caller of a group alone waits "
        "for ever, as in Celery, but for run in memory, which raises"
    ),
    Feature.HANG_IGNORED_FAILURE: _ANSWERS,
    Feature.HANG_IGNORED_IN_HEADER: differs(
        "it counts as any other: the body gets its value, or fails; Celery's worker waits for it "
        "for ever, and takes no further task"
    ),
    Feature.HANG_ODD_ERROR_IN_HEADER: differs(
        "the body fails, and its errbacks are called; Celery's worker process ends of what is no "
        "Exception, and nobody tells the body"
    ),
    Feature.FAILS_IGNORED_BESIDE_EMPTY_CHAIN: differs(
        "its value is None for the body; Celery's worker waits result_chord_join_timeout for it, "
        "three seconds, and fails the chord, or hangs"
    ),
    Feature.FAILS_CHUNKS_OF_NOTHING: differs(
        "they are left out; Celery's caller gets an AttributeError of its own code"
    ),
    Feature.FAILS_EMPTY_CHAIN: differs("it is left out; for the body of a chord it is refused"),
    Feature.LOST_CALLBACKS_OF_REPLACED_GROUP: differs("they are fired"),
    Feature.LOST_ERRBACKS_OF_EMPTY_HEADER: differs("they are fired"),
    Feature.TWICE_ERRBACK_OF_GROUP_BODY: differs(
        "it is called once; Celery takes it for two when the chain comes out of JSON"
    ),
    Feature.TWICE_AFTER_GROUP_BODY: differs(
        "it runs once, as it does where the chain is written with `|`; where steps are chains "
        "themselves, or the chain comes out of JSON, Celery runs it once for each member"
    ),
}


def walked(rows: Mapping[Feature, Support]) -> Table:
    """``total`` for an engine on which the kit walks the plan, with the rows that this comes to."""
    return total({**_WALKED, **rows})


def features_of(place: Place) -> Iterator[Feature]:
    """The features that the node at ``place`` uses, itself and its options."""
    node = place.node
    yield Feature.of_node(kind(node))
    if node.options == NO_OPTIONS:
        return
    for item in fields(Options):
        given = getattr(node.options, item.name)
        if item.name in OPTIONS and given != item.default:
            yield Feature.of_option(item.name)


def gaps(node: Node, rows: Table) -> list[Gap]:
    """Everything in ``node`` that an engine with this table does not support."""
    return [
        Gap(place.path, feature.text, rows[feature].note)
        for place in walk(node)
        for feature in features_of(place)
        if rows[feature].level is Level.UNSUPPORTED
    ]


def require(name: str, node: Node, rows: Table) -> None:
    """Nothing, or one error with all that is in the way.

    Raises:
        UnsupportedCanvas: ``node`` uses what the engine called ``name`` does not support.
    """
    found = gaps(node, rows)
    if found:
        raise UnsupportedCanvas(name, found)
