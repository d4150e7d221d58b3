"""starter.py: what callers use in place of ``.delay``, ``.get`` and ``AsyncResult``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.files import Source
from offcanvas.port.emit.prefect.parameters import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.script import Script

_IMPORTS: Final = frozenset(
    {
        "import asyncio",
        "import time",
        "from datetime import datetime",
        "from typing import Any",
        "from uuid import UUID",
        "from prefect.client.orchestration import get_client",
        "from prefect.states import Cancelling, Scheduled",
    }
)
_COMMON: Final = '''DEPLOYMENT = {deployment!r}


def _start(flow: str, given: dict[str, Any], key: str | None, at: datetime | None) -> UUID:
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(f"{{flow}}/{{DEPLOYMENT}}")
        return client.create_flow_run_from_deployment(
            deployment.id, parameters=given, idempotency_key=key, state=Scheduled(scheduled_time=at)
        ).id


async def _astart(flow: str, given: dict[str, Any], key: str | None, at: datetime | None) -> UUID:
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"{{flow}}/{{DEPLOYMENT}}")
        run = await client.create_flow_run_from_deployment(
            deployment.id, parameters=given, idempotency_key=key, state=Scheduled(scheduled_time=at)
        )
        return run.id


def wait(run_id: UUID, every: float = 0.5) -> Any:
    """What the flow returned, or its error is raised, as with `AsyncResult.get`."""
    with get_client(sync_client=True) as client:
        while True:
            state = client.read_flow_run(run_id).state
            if state is not None and state.is_final():
                return state.result()
            time.sleep(every)


async def await_(run_id: UUID, every: float = 0.5) -> Any:
    """The same from an event loop."""
    async with get_client() as client:
        while True:
            state = (await client.read_flow_run(run_id)).state
            if state is not None and state.is_final():
                return await state.aresult()
            await asyncio.sleep(every)


def state(run_id: UUID) -> str:
    """Scheduled, Pending, Running, Completed, Failed, Cancelled, ..."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id).state_name or ""


def cancel(run_id: UUID) -> None:
    """Its process is stopped; error callbacks are not called, as with `revoke`."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelling())
'''


def starter(parts: Parts, flows: Sequence[tuple[str, Script]], package: str) -> str:
    """The module; ``flows`` are names of flows with their scripts."""
    source = Source(
        "Start a flow, wait for it, ask for its state. The same key starts it once.\n\n"
        f"A worker has to have been there: `python -m {package}.worker` registers the flows.\n",
        set(_IMPORTS),
    )
    common = _COMMON.format(deployment=parts.plan.package)
    if parts.plan.pickles:
        source.imports.add(f"from {package}.objects import packed, unpacked")
        common = (
            common.replace("parameters=given", "parameters=packed(given)")
            .replace("return state.result()", "return unpacked(state.result())")
            .replace("return await state.aresult()", "return unpacked(await state.aresult())")
        )
    source.add(common)
    for name, script in flows:
        module = parts.module(script.canvas.place.path)

        def annotation(type_: str) -> str:
            spelled, imports = parts.types.spelled(type_, module)  # noqa: B023 - used at once
            source.imports.update(imports)
            return spelled

        params = listed(script.canvas.params, annotation)
        given = ", ".join(f'"{p.name}": {p.name}' for p in script.canvas.params)
        taken = [p.name for p in script.canvas.params]
        key, at = naming.unused("key", taken), naming.unused("at", taken)
        head = ", ".join(
            [*params, "*", f"{key}: str | None = None", f"{at}: datetime | None = None"]
        )
        call = f'start("{name.replace("_", "-")}", {{{given}}}, {key}, {at})'
        source.add(
            f'def start_{name}({head}) -> UUID:\n    """Start `{name}`, now or at a moment."""\n'
            f"    return _{call}"
        )
        source.add(
            f'async def astart_{name}({head}) -> UUID:\n    """The same from an event loop."""\n'
            f"    return await _a{call}"
        )
    return source.text()
