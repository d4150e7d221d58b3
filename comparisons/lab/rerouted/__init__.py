"""The kit in the lab: the canvases of `celery_impl`, rerouted to Temporal or Prefect.

app       the Celery app that the kit's worker imports, with a sweep that asks no broker
changed   the same app after a change of a task's signature
client    the caller, inside an open switch
sweep     `python -m comparisons.lab.rerouted SECONDS`: beat, inside an open switch
watch     `python -m comparisons.lab.rerouted watch --port PORT`: metrics of the engine as a whole

`REROUTED_TO` names the engine. The broker's address leads nowhere: what is sent there fails.
"""
