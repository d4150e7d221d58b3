"""The command `sweep`: now, by hand; or from now on, by the schedule of the DAG `sweep`."""

from __future__ import annotations

from airflow_impl.api import Api, await_dag, run_path
from airflow_impl.names import ENGINE, OLDER_THAN_VARIABLE
from airflow_impl.repairs import REPAIR, StateOf, repairs_of
from shared import recovery

SWEEP = "sweep"


def run_sweep(older_than: float, once: bool) -> list[str]:
    """Sweep now, and return the runs that were queued again; or have the scheduler do so for ever.

    The schedule is a DAG's: it is set going here, and stays so when this process has ended.
    """
    api = Api()
    try:
        if not once:
            _set_going(api, older_than)
            return []
        repairs = list(repairs_of(recovery.find_gaps(ENGINE, older_than), _states(api)))
        for repair in repairs:
            body = {
                "dag_run_id": repair.dag_run_id,
                "conf": repair.parameters,
                "logical_date": None,
            }
            await_dag(api, REPAIR)
            api.create(f"/dags/{REPAIR}/dagRuns", body)
        return [repair.run_id for repair in repairs]
    finally:
        api.close()


def _states(api: Api) -> StateOf:
    def state_of(dag_id: str, run_id: str) -> str | None:
        found = api.find(run_path(dag_id, run_id))
        return None if found is None else str(found["state"])

    return state_of


def _set_going(api: Api, older_than: float) -> None:
    await_dag(api, SWEEP)
    variable = {"key": OLDER_THAN_VARIABLE, "value": f"{older_than:g}"}
    if api.create("/variables", variable) is None:
        api.change(f"/variables/{OLDER_THAN_VARIABLE}", variable)
    api.change(f"/dags/{SWEEP}", {"is_paused": False})
