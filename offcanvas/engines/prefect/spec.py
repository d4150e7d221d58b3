"""The engine on Prefect, as the registry knows it."""

from offcanvas.engines.spec import EngineSpec

SPEC = EngineSpec(
    name="prefect",
    title="Prefect",
    engine="offcanvas.engines.prefect.engine:PrefectEngine",
    support="offcanvas.engines.prefect.support:SUPPORT",
    install="'offcanvas[prefect]'",
    extra="prefect",
    target="offcanvas.engines.prefect.target:PrefectTarget",
    target_options=frozenset({"private", "batch", "lone", "spread"}),
    addresses=("PREFECT_API_URL",),
)
