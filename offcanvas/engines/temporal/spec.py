"""The engine on Temporal, as the registry knows it."""

from offcanvas.engines.spec import EngineSpec

SPEC = EngineSpec(
    name="temporal",
    title="Temporal",
    engine="offcanvas.engines.temporal.engine:TemporalEngine",
    support="offcanvas.engines.temporal.support:SUPPORT",
    install="'offcanvas[temporal]'",
    extra="temporal",
    target="offcanvas.engines.temporal.target:TemporalTarget",
    target_options=frozenset(
        {"queues", "client", "private", "fail_workflows", "heartbeat_timeout", "batch", "lone"}
    ),
    addresses=("TEMPORAL_ADDRESS",),
)
