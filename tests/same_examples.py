"""Hypothesis draws the same examples in every run, however slow the machine.

For the folders that use it, as it takes a second to import; `make differential` draws new ones.
"""

import hypothesis

hypothesis.settings.register_profile(
    "offcanvas",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("offcanvas")
