"""The names under which Airflow knows what is ours."""

from __future__ import annotations

from pathlib import Path

ENGINE = "airflow"
POOL = "voter_rolls"

ROOT = Path(__file__).resolve().parents[1]
DAGS = Path(__file__).resolve().parent

# In arguments of tasks, filled in by Airflow: the run that the DAG run is about. It is the DAG
# run's own id where the run was started by its caller; a repair is about another run.
RUN = "{{ params.run_id }}"

# A step that fails leaves the class and the text of its exception under this key: a reference to
# what went wrong is all that Airflow's metadata database otherwise lacks.
ERROR = "error"

# The Airflow variable with which `sweep --older-than` reaches the scheduled DAG.
OLDER_THAN_VARIABLE = "voter_rolls_older_than"

# The lengths of the published benchmark's sequences, which are DAGs of their own.
SEQUENCES = (10, 40)
