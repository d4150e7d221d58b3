"""The voter rolls as Airflow DAGs: the ports of `celery_impl`, under the same file names.

Airflow lives in an environment of its own (`make airflow`), and two kinds of module live here. The
DAGs are for that environment alone: a variant's file for its shape, `tasks` for what it is made of,
`options` for retries, time limits and the pool, `repair` and `sweep` for what becomes of lost work.
Everything else runs in the project's environment, where nothing of Airflow is installed, and talks
to its REST API: `client` is the caller's side, `server` and `worker` start Airflow's own programs,
`configuration` says how they are set up and why.

A server is Airflow's API server and DAG processor. A worker is a scheduler with the LocalExecutor,
whose processes execute the steps: on one machine the two are one in Airflow. Where there are more
machines, the CeleryExecutor or the KubernetesExecutor takes its place, and the DAGs stay as they
are.
"""
