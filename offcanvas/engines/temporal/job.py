"""What a workflow is given and what it answers. Plain data; imported inside the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from offcanvas.canvas import wire
from offcanvas.canvas.calls import Branch, Context, End
from offcanvas.engines.batches import Batch

#: Name of the workflow, and of the activities that are no task's.
WORKFLOW = "offcanvas.canvas"
FAIL_CHORD = "offcanvas.fail_chord"
STORE_FAILURES = "offcanvas.store_failures"
LOSE_TASK = "offcanvas.lose_task"
REVOKE_TASK = "offcanvas.revoke_task"
KEEP_TEXT = "offcanvas.keep_text"
LOSE_BATCH = "offcanvas.lose_batch"
LOAD_TEXT = "offcanvas.load_text"

#: In the place of a job: the ids of the results that are its JSON, together.
STORED = "stored"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the workflow has to know of the app; fixed when the canvas is started.

    Attributes:
        strict: do as Celery does where it does otherwise than it documents.
        time_limit: ``task_time_limit`` of the app, seconds.
        late: names of tasks with ``acks_late``, which run again when their worker is lost.
        queues: Celery's queue to Temporal's task queue; queues that are not listed are served by
            the workflow's own task queue.
        slice: tasks that one workflow runs side by side; wider groups go to child workflows.
        fail_workflows: a task that fails is a failed activity, and a canvas that fails a failed
            workflow. Otherwise both are completed, and the failure is in their results.
        heartbeat_timeout: seconds without a heartbeat after which a worker counts as lost.
        batch: members of a group that run together (``batches.Batch``).
    """

    strict: bool = False
    time_limit: float | None = None
    late: tuple[str, ...] = ()
    queues: tuple[tuple[str, str], ...] = ()
    slice: int = 1_000
    fail_workflows: bool = False
    heartbeat_timeout: float = 20.0
    batch: Batch = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Settings:
        """The settings that ``to_json`` wrote."""
        return cls(
            strict=raw["strict"],
            time_limit=raw["time_limit"],
            late=tuple(raw["late"]),
            queues=tuple((queue, there) for queue, there in raw["queues"]),
            slice=raw["slice"],
            # Canvases that were started by an older release have none of these.
            fail_workflows=raw.get("fail_workflows", False),
            heartbeat_timeout=raw.get("heartbeat_timeout", 20.0),
            batch=raw.get("batch"),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Branches to walk side by side in one history.

    Attributes:
        children: how many children this workflow has named so far.
        spawned: ids of the workflows that run trees started by tasks so far.
        revoked: ids of tasks that must not run.
        part: the branches are a slice of a group; another workflow asks how they have ended.
        pace: seconds that tasks take, by their names, as far as they were learnt for batches.
        burst: the branches are tasks that were sent alone.
        had: what the first attempt at the task that the branch is came to, as an activity without a
            workflow (``lone``): the workflow goes on from there.
    """

    branches: tuple[Branch, ...]
    settings: Settings
    children: int = 0
    spawned: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    part: bool = False
    pace: tuple[tuple[str, float], ...] = ()
    burst: bool = False
    had: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON. What all members of a group have in common is written once."""
        return {
            **_shared(self.branches),
            "settings": self.settings.to_json(),
            "children": self.children,
            "spawned": list(self.spawned),
            "revoked": list(self.revoked),
            **({"part": True} if self.part else {}),
            **({"pace": dict(self.pace)} if self.pace else {}),
            **({"burst": True} if self.burst else {}),
            **({"had": self.had} if self.had is not None else {}),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Job:
        """The job that ``to_json`` wrote."""
        return cls(
            branches=_branches(raw),
            settings=Settings.from_json(raw["settings"]),
            children=raw["children"],
            spawned=tuple(raw["spawned"]),
            revoked=tuple(raw["revoked"]),
            part=raw.get("part", False),
            pace=tuple(raw.get("pace", {}).items()),
            burst=raw.get("burst", False),
            had=raw.get("had"),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """How a job's branches ended, in their order, and the workflows started on the way."""

    ends: tuple[End, ...]
    spawned: tuple[str, ...] = ()
    pace: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "ends": [end.to_json() for end in self.ends],
            "spawned": list(self.spawned),
            **({"pace": dict(self.pace)} if self.pace else {}),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Report:
        """The report that ``to_json`` wrote."""
        return cls(
            tuple(End.from_json(end) for end in raw["ends"]),
            tuple(raw["spawned"]),
            tuple(raw.get("pace", {}).items()),
        )


def _shared(branches: Sequence[Branch]) -> dict[str, Any]:
    first = branches[0]
    if any(branch.given != first.given or branch.then != first.then for branch in branches):
        return {"branches": [branch.to_json() for branch in branches]}
    common = first.to_json()
    return {
        "given": common["given"],
        "then": common["then"],
        **({"headers": first.headers} if first.headers else {}),
        "nodes": [wire.plain(branch.node, paged=True) for branch in branches],
        "contexts": [_context(branch.context) for branch in branches],
    }


def _context(context: Context) -> list[Any]:
    return [getattr(context, name) for name in Context.__slots__]


def _branches(raw: dict[str, Any]) -> tuple[Branch, ...]:
    if "branches" in raw:
        return tuple(Branch.from_json(branch) for branch in raw["branches"])
    given = tuple(raw["given"])
    then = None if raw["then"] is None else wire.node_of(raw["then"])
    headers = raw.get("headers")
    return tuple(
        Branch(wire.node_of(node), given, Context(*context), then, headers=headers)
        for node, context in zip(raw["nodes"], raw["contexts"], strict=True)
    )
