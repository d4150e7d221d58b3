"""What a flow run is given: a branch of a plan, as text."""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.engines.walker import Branch
from offcanvas.errors import EngineError

if TYPE_CHECKING:
    from celery import Celery

#: Name of the flow, and of its deployment and work pool unless OFFCANVAS_DEPLOYMENT says otherwise.
FLOW = "canvas"
DEPLOYMENT = "offcanvas"
#: On every flow run of a canvas, and, with an id behind it, on those that belong together.
TAG = "offcanvas"
#: Keys of the inputs by which a flow run is told of revoked tasks begin so.
REVOKE = "offcanvas-revoke"

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
    """

    branch: Branch
    strict: bool = False
    tree: str | None = None

    def to_text(self, app: Celery) -> str:
        """JSON; of a large plan only where in the app's result backend it stands."""
        raw = {"branch": self.branch.to_json(), "strict": self.strict, "tree": self.tree}
        text = json.dumps(raw, separators=(",", ":"))
        if len(text) <= LARGE:
            return text
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        place = str(uuid.uuid4())
        app.backend.store_result(place, packed, states.SUCCESS)
        return json.dumps({_STORED: place})

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
        return cls(Branch.from_json(raw["branch"]), raw["strict"], raw["tree"])
