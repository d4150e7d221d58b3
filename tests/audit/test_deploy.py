import pytest

from offcanvas.audit.deploy import Stop, is_deploy_file, seconds, stops

COMPOSE = """\
x-any: 1
services:
  web:
    image: celery
    depends_on: [worker]
  worker:
    command: celery -A shop worker
    stop_grace_period: 1m30s   # long
  second:
    command:
      - celery
      - --app=shop
      - worker
    environment:
      A: b
  beat:
    command: ["celery", "beat"]
volumes:
  worker:
"""


def test_compose() -> None:
    assert [*stops("compose.yaml", COMPOSE.encode())] == [
        Stop("compose.yaml", 8, "docker compose", 90.0, True),
        Stop("compose.yaml", 10, "docker compose", 10.0, False),
    ]


def test_an_anchor_may_bring_it() -> None:
    anchor = "x-it: &it\n  stop_grace_period: 5m\n"
    text = f"{anchor}services:\n  w:\n    <<: *it\n    command: celery worker\n"
    assert not [*stops("compose.yaml", text.encode())]


def test_systemd_supervisor_and_procfile() -> None:
    unit = "[Unit]\nA=b\n[Service]\nExecStart=/bin/celery -A shop worker\nTimeoutStopSec=5min 20s\n"
    assert [s.grace for s in stops("a.service", unit.encode())] == [320.0]
    endless = unit.replace("5min 20s", "infinity")
    assert [s.grace for s in stops("a.service", endless.encode())] == [None]
    programs = "[program:a]\ncommand=celery -A shop worker\n[program:b]\ncommand=celery beat\n"
    assert [(s.line, s.grace) for s in stops("supervisord.conf", programs.encode())] == [(2, 10.0)]
    procfile = b"web: x\nworker: celery -A shop worker\n"
    assert [s.grace for s in stops("Procfile", procfile)] == [30.0]


@pytest.mark.parametrize("path", ["docker-compose.dev.yml", "ci/compose.yml", "compose.test.yaml"])
def test_what_is_not_for_production_is_left_out(path: str) -> None:
    assert not [*stops(path, COMPOSE.encode())]


def test_names_and_durations() -> None:
    assert is_deploy_file("docker-compose.prod.yml")
    assert is_deploy_file("celery@.service")
    assert not is_deploy_file("settings.yml")
    assert [seconds(t) for t in ("1h", "90", "soon", "${A}", "")] == [3600, 90, None, None, None]
