"""What a flow run is given: a branch of a plan, as text."""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.canvas.calls import Branch
from offcanvas.engines.batches import Batch
from offcanvas.errors import EngineError

if TYPE_CHECKING:
    from celery import Celery

#: Name of the flow, and of its deployment and work pool unless OFFCANVAS_DEPLOYMENT says otherwise.
FLOW = "canvas"
DEPLOYMENT = "offcanvas"
#: On every flow run of a canvas, and, with an id behind it, on those that belong together.
TAG = "offcanvas"
#: On those that walk a slice of a wide group.
SLICE = "offcanvas-slice"
#: Keys of the inputs by which a flow run is told of revoked tasks begin so.
REVOKE = "offcanvas-revoke"
#: On a flow run that has such inputs: only there is it worth to ask for them.
TOLD = "offcanvas-told"

#: Characters that go through the server; it takes 512 kB of parameters for each flow run.
LARGE = 50_000
_STORED = "stored"


@dataclass(frozen=True, slots=True)
class Job:
    """A branch to walk.

    Attributes:
        branch: a node with ids, and its place.
        strict: do as Celery does where it does otherwise than it documents.
        tree: the id of the flow run that began it all, None in that one itself.
        batch: members of a group that run together (``batches.Batch``).
        more: further branches: tasks that were sent alone, as the first one, or of the same slice.
        spread: tasks of a slice; wider groups are walked by several flow runs. None for one.
        part: the branches are a slice; another flow run asks how they have ended.
    """

    branch: Branch
    strict: bool = False
    tree: str | None = None
    batch: Batch = None
    more: tuple[Branch, ...] = ()
    spread: int | None = None
    part: bool = False

    def to_text(self, app: Celery) -> str:
        """JSON; of a large plan only where in the app's result backend it stands."""
        text = self._text()
        if len(text) <= LARGE:
            return text
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        place = str(uuid.uuid4())
        app.backend.store_result(place, packed, states.SUCCESS)
        return json.dumps({_STORED: place})

    @property
    def size(self) -> int:
        """Characters, wherever they go."""
        return len(self._text())

    def _text(self) -> str:
        raw: dict[str, Any] = {
            "branch": self.branch.to_json(),
            "strict": self.strict,
            "tree": self.tree,
            "batch": self.batch,
            "more": [branch.to_json() for branch in self.more],
            "spread": self.spread,
            "part": self.part,
        }
        # What few canvases have is left out, so that each is as small as it was.
        for name in ("batch", "more", "spread", "part"):
            if not raw[name]:
                del raw[name]
        return json.dumps(raw, separators=(",", ":"))

    @classmethod
    def from_text(cls, app: Celery, text: str) -> Job:
        """The job that ``to_text`` wrote.

        Raises:
            EngineError: the plan is no longer in the result backend.
        """
        raw: dict[str, Any] = json.loads(text)
        if _STORED in raw:
            found = app.backend.get_task_meta(raw[_STORED], cache=False)
            if found["status"] != states.SUCCESS:
                raise EngineError(
                    f"the plan {raw[_STORED]} is not in the result backend; worker and caller "
                    f"have to share one, and results have to live longer than a canvas takes"
                )
            raw = json.loads(zlib.decompress(base64.b64decode(found["result"])))
        more = tuple(Branch.from_json(branch) for branch in raw.get("more", ()))
        branch = Branch.from_json(raw["branch"])
        return cls(
            branch,
            raw["strict"],
            raw["tree"],
            batch=raw.get("batch"),
            more=more,
            spread=raw.get("spread"),
            part=raw.get("part", False),
        )
