"""The voter rolls as Temporal workflows: the ports of `celery_impl`, under the same file names.

Each variant is a workflow of its own file. What they share, in reading order:

    activities.py   the steps of `shared.steps` as activities; inputs.py is what they are given
    options.py      time limits, retries and heartbeats: `shared.policy` in Temporal's words
    fan_out.py      a header of any width: so many at a time, so many in one history
    failures.py     errors on their way from a step to the caller
    pool.py         the worker's processes; progress.py and heartbeat.py keep long steps alive
    client.py       start, wait, spans.py and health.py: what the caller sees
    sweep.py        database-sourced recovery by a Schedule; repair.py does it

A change of a workflow must leave the recorded histories replayable (`tests/temporal_impl`), or
stand behind `workflow.patched`: unlike messages in a queue, open workflows cannot be drained by
waiting for an empty queue. Inputs are dataclasses, so that a field with a default can be added.
"""
