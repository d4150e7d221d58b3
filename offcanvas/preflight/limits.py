"""What servers take and vendors ask, with the day on which it was read.

Temporal: https://docs.temporal.io/cloud/limits, https://docs.temporal.io/self-hosted-guide/defaults,
https://docs.temporal.io/cloud/pricing. Prefect: https://docs.prefect.io/v3/api-ref (512 KB of
parameters), https://docs.prefect.io/v3/concepts/rate-limits. Read on 29 November 2026.
"""

from __future__ import annotations

from typing import Final

READ: Final = "29 November 2026"

EVENTS: Final = 51_200
EVENTS_WARNED: Final = 10_240
HISTORY: Final = 50 * 1024 * 1024
HISTORY_WARNED: Final = 10 * 1024 * 1024
PAYLOAD: Final = 2 * 1024 * 1024
PAYLOAD_WARNED: Final = 256 * 1024
MESSAGE: Final = 4 * 1024 * 1024
PENDING: Final = 2_000
PENDING_ACTIVITIES: Final = 2_000

#: Dollars for a million actions on Temporal Cloud, the first five million of a month.
PRICE: Final = 50.0

PARAMETERS: Final = 512 * 1024
#: Prefect Cloud's plan -> events and logs that it takes in a minute.
PREFECT_PLANS: Final = {"Hobby": 500, "Starter": 1_600, "Team": 2_000, "Pro": 10_000}
