"""An engine's library of the wrong version is named before anything is imported or started."""

import pytest

from offcanvas.engines import versions
from offcanvas.engines.base import engine
from offcanvas.errors import EngineUnavailable


@pytest.fixture(autouse=True)
def _asked_anew():
    versions.require_versions.cache_clear()
    yield
    versions.require_versions.cache_clear()


def test_what_is_installed_here_fits():
    assert engine("celery").name == "celery"


@pytest.mark.parametrize("installed", ["5.5.9", "5.8.0", "6.0rc1"])
def test_a_version_outside_the_limits_is_refused(monkeypatch, installed):
    monkeypatch.setattr(versions, "version", lambda name: installed)
    with pytest.raises(EngineUnavailable, match=f"needs celery.*{installed} is installed"):
        engine("celery")


@pytest.mark.parametrize("installed", ["5.6", "5.6.3", "5.7.0rc2"])
def test_a_version_inside_the_limits_is_taken(monkeypatch, installed):
    monkeypatch.setattr(versions, "version", lambda name: installed)
    assert engine("celery").name == "celery"
