"""worker.py and prefect.yaml: the flows in one process with one command, or in work pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.port.emit.prefect.tasks import Tasks


_DECLARE: Final = """
def declare_rates() -> None:
    \"\"\"Tell the server how often a second what had a rate_limit may be started.\"\"\"
    with get_client(sync_client=True) as client:
        for name, rate in RATES.items():
            client.upsert_global_concurrency_limit_by_name(name, 1, rate)

"""


def worker(flows: Sequence[str], package: str, deployment: str, tasks: Tasks) -> str:
    """The module that serves all flows, each run in a process of its own."""
    listed = ", ".join(f"flows.{name}" for name in flows)
    limits = ""
    declare = function = ""
    imports = ""
    if tasks.limits:
        rates = ", ".join(f"{name!r}: {rate:.6g}" for name, rate in sorted(tasks.limits.items()))
        limits = f"#: Starts a second, for all workers together.\nRATES = {{{rates}}}\n"
        imports = "from prefect.client.orchestration import get_client\n"
        declare = "    declare_rates()\n"
        function = _DECLARE
    return f'''"""The worker: `python -m {package}.worker`, with PREFECT_API_URL set."""

from typing import Any

from prefect import Flow, serve
{imports}from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from {package} import flows

DEPLOYMENT = {deployment!r}
FLOWS: list[Flow[..., Any]] = [{listed}]
{limits}
{function}
def main(at_a_time: int = 4) -> None:
    """Register the flows and execute their runs, so many at a time."""
{declare}    by_module = EntrypointType.MODULE_PATH
    deployments = [
        RunnerDeployment.from_flow(one, name=DEPLOYMENT, entrypoint_type=by_module) for one in FLOWS
    ]
    serve(*deployments, limit=at_a_time)


if __name__ == "__main__":
    main()
'''


def prefect_yaml(
    flows: Sequence[str], package: str, deployment: str, release: str, rates: Mapping[str, float]
) -> str:
    """Deployments for a work pool, in place of the worker that serves."""
    lines = [
        "# For a work pool instead of the worker that serves the flows; from the project's root:",
        f"#   prefect work-pool create --type process {deployment}",
        *(
            f"#   prefect gcl create {name} --limit 1 --slot-decay-per-second {rate:.6g}"
            for name, rate in sorted(rates.items())
        ),
        f"#   prefect --no-prompt deploy --all --prefect-file {package}/prefect.yaml",
        f"#   prefect worker start --pool {deployment}",
        f"name: {deployment}",
        f"prefect-version: {release}",
        "build: null",
        "push: null",
        "pull:",
        "  - prefect.deployments.steps.set_working_directory:",
        '      directory: "{{ $PWD }}"',
        "deployments:",
    ]
    for name in flows:
        lines += [
            f"  - name: {deployment}",
            f"    entrypoint: {package}.flows.{name}",
            f"    work_pool: {{name: {deployment}}}",
        ]
    return "\n".join(lines) + "\n"
