"""A parent that starts the group and waits for it.

In Canvas: a task that calls `group(...)().join()`. Celery forbids it ("Never call result.get()
within a task!"), since the waiting task keeps a worker process that its own members may need.

Airflow allows it, and the deadlock comes back: a `TriggerDagRunOperator` that waits for completion
keeps its process and its slot of the pool all the time, and with one slot it waits for ever. So the
waiting is a sensor in the mode "reschedule": it looks, gives its slot back, and is started again
five seconds later. (A deferred task waits in Airflow's triggerer instead, one more program to run.)

The group is a DAG run of its own, `rolls`, and its results are XComs of another run, where the
parent cannot get at them by name of a task: the pages come from the database. The right way to wait
is not a task at all but an arrow in the DAG: the same written so is `chord_by_station`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import PokeReturnValue, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_impl.names import POOL, RUN
from airflow_impl.options import DAG, task_options
from airflow_impl.tasks import assign_all, sum_printed_pages
from shared.policy import STEP


# Where `rolls` is there already, from an earlier attempt, the trigger before this one is skipped.
# The retries are needed: a busy scheduler can take a look that has ended for one that was killed
# ("finished with state success, but the task instance's state attribute is scheduled", 3.3.2).
@task.sensor(
    mode="reschedule",
    poke_interval=5.0,
    timeout=3_600.0,
    trigger_rule="none_failed",
    **task_options(STEP),
)
def join(run: str) -> PokeReturnValue:
    """result.join()"""
    state = get_current_context()["ti"].get_dagrun_state("rolls", run)
    if state == "failed":
        raise AirflowFailException(f"the DAG run rolls/{run} has failed")
    return PokeReturnValue(is_done=state == "success")


@dag(**DAG)
def parallel_with_join() -> None:
    """assign_all, then start group(generate_roll per station), join, sum of the pages."""
    group = TriggerDagRunOperator(
        task_id="group",
        trigger_dag_id="rolls",
        trigger_run_id=RUN,
        conf={"run_id": RUN},
        skip_when_already_exists=True,
        pool=POOL,
    )
    assign_all(RUN) >> group >> join(RUN) >> sum_printed_pages(RUN)


parallel_with_join()
