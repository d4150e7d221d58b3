"""The engine Celery, as the registry knows it."""

from offcanvas.engines.spec import EngineSpec

SPEC = EngineSpec(
    name="celery",
    title="Celery",
    engine="offcanvas.engines.celery.engine:CeleryEngine",
    support="offcanvas.engines.celery.support:SUPPORT",
    install="'offcanvas[celery]'",
    extra="celery",
)
