"""Beat's entries as schedules of Temporal and Prefect, compared firing by firing.

``read.entries`` reads them where beat does; ``temporal.source`` and ``prefect.source`` write what
makes them, paused; ``firings`` asks Celery's own code and the engine's when each would fire. How
both sides may fire for a while, and one of them goes through, is in ``offcanvas.cutover.beat``.
"""
