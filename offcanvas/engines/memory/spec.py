"""The engine in memory, as the registry knows it."""

from offcanvas.engines.spec import EngineSpec

SPEC = EngineSpec(
    name="memory",
    title="In memory",
    engine="offcanvas.engines.memory.engine:MemoryEngine",
    support="offcanvas.engines.memory.support:SUPPORT",
    install="'offcanvas[celery]'",
    extra="celery",
    target="offcanvas.engines.memory.target:PoolTarget",
)
