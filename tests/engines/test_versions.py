"""An engine's library of the wrong version is named before anything is imported or started."""

import pytest

from offcanvas.engines import versions
from offcanvas.engines.registry import engine
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


def test_the_limits_of_prefect_leave_out_what_breaks_3_8_and_let_in_what_works(monkeypatch):
    libraries = {"prefect": "3.8.8", "fastapi": "0.150.0", "sqlalchemy": "2.1.9"}
    monkeypatch.setattr(versions, "version", lambda name: libraries[name])
    versions.require_versions("prefect", "prefect")
    for fastapi in ("0.151.0", "0.154.0", "0.155.0", "0.165.0"):
        versions.require_versions.cache_clear()
        monkeypatch.setitem(libraries, "fastapi", fastapi)
        with pytest.raises(EngineUnavailable, match=f"needs fastapi<0.151, and {fastapi} is"):
            versions.require_versions("prefect", "prefect")


@pytest.mark.parametrize("installed", ["3.7.12", "3.10.0", "4.0.0"])
def test_other_minor_versions_of_prefect_are_refused(monkeypatch, installed):
    libraries = {"prefect": installed, "fastapi": "0.150.0"}
    monkeypatch.setattr(versions, "version", lambda name: libraries[name])
    with pytest.raises(EngineUnavailable, match=f"needs prefect<3.10,>=3.8, and {installed} is"):
        versions.require_versions("prefect", "prefect")
