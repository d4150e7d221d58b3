"""The guides: their files, programs and commands, run as they stand on the page."""

import re
import subprocess
import sys
import time

import pytest

from offcanvas.servers import redis, temporal
from tests.docs.guide import GUIDES, Guide, environment, running, shell

NAMES = sorted(path.stem for path in GUIDES.glob("*.md"))
SHOP = """
import os
from celery import Celery

app = Celery("shop", backend=os.environ["RESULTS"])


@app.task
def double(price):
    return 2 * price
"""
MANAGE = """
import os
import sys
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
execute_from_command_line(sys.argv)
"""
ADDRESS = "127.0.0.1:7233"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "results").mkdir()
    return tmp_path


def results(folder):
    return f"file://{folder}/results"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = GUIDES / f"{name}.md"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).resolve().exists(), link


def test_every_guide_has_a_test():
    tested = {name for name in globals() if name.startswith("test_the_guide_")}
    assert {f"test_the_guide_{name.replace('-', '_')}" for name in NAMES} <= tested


@pytest.mark.servers
def test_the_guide_django(folder):
    guide = Guide("django")
    guide.write(folder)
    (folder / "manage.py").write_text(MANAGE, encoding="utf-8")
    export, migrate, worker, report = guide.commands
    assert export == f"export TEMPORAL_ADDRESS={ADDRESS}"
    with temporal() as server:
        env = environment(folder, TEMPORAL_ADDRESS=server.url)
        shell(folder, migrate, env)
        with running(folder, worker, env, "at work"):
            assert shell(folder, report, env).stdout == "12\n"
        nowhere = {name: text for name, text in env.items() if name != "TEMPORAL_ADDRESS"}
        ran = shell(folder, report, nowhere, check=False)
    assert ran.stderr.splitlines()[-1].startswith("offcanvas.errors.UsageError: nothing says where")
    # Within this process, in which the switch is open until the end.
    assert shell(folder, report.replace("temporal", "memory"), env).stdout == "12\n"


@pytest.mark.servers
def test_the_guide_beat(folder):
    guide = Guide("beat")
    guide.write(folder)
    _, _, worker, beat = guide.commands
    with temporal() as server:
        env = environment(folder, TEMPORAL_ADDRESS=server.url, RESULTS=results(folder))
        process = subprocess.Popen(
            beat.split(), cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with running(folder, worker, env, "at work"):
                for _ in range(3_000):
                    if (folder / "log").exists() and len((folder / "log").read_text()) > 3:
                        break
                    time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(60)
    assert set((folder / "log").read_text().splitlines()) == {"6"}


@pytest.mark.servers
def test_the_guide_part_of_an_app(folder):
    guide = Guide("part-of-an-app")
    guide.write(folder)
    program, _, *workers = guide.commands
    env = environment(folder, RESULTS=results(folder))
    (told,) = (text for kind, text in guide.blocks if kind == "text")
    assert shell(folder, program, env).stdout == told
    (console,) = (text for kind, text in guide.blocks if kind == "console")
    command, _, output = console.partition("\n")
    ran = shell(folder, command.removeprefix("$ "), env, check=False)
    assert ran.stderr.splitlines()[-1] == output.strip()
    routed = (
        "from offcanvas import reroute\n"
        "from shop import app, price\n"
        "if __name__ == '__main__':\n"
        "    with reroute(app, to='temporal', queues={'gpu': 'shop-gpu'}):\n"
        "        print(price.apply_async((5,), queue='gpu').get(timeout=60))\n"
    )
    (folder / "routed.py").write_text(routed, encoding="utf-8")
    with temporal() as server:
        env["TEMPORAL_ADDRESS"] = server.url
        with (
            running(folder, workers[1], env, "at work on shop-gpu"),
            running(folder, workers[0], env, "at work on offcanvas"),
        ):
            assert shell(folder, "python routed.py", env).stdout == "7\n"


@pytest.mark.servers
def test_the_guide_other_services(folder):
    guide = Guide("other-services")
    guide.write(folder)
    (told,) = (text for kind, text in guide.blocks if kind == "text")
    with redis() as server:
        env = environment(folder, BROKER=server.url, RESULTS=server.url)
        assert shell(folder, guide.commands[0], env).stdout == told
        count = "from shop import app; print(app.connection().default_channel._size('celery'))"
        ran = shell(folder, f'python -c "{count}"', env)
    assert ran.stdout == "1\n"


def test_the_guide_celery_versions(folder):
    guide = Guide("celery-versions")
    dry, freeze, constrained, _, audit = guide.commands
    for line in (dry, constrained):
        words = line.replace("'", "").split()
        parsed = subprocess.run(
            [sys.executable, "-m", "pip", *words[3:-1], "--help"],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        assert parsed.returncode == 0, parsed.stderr
    env = environment(folder)
    shell(folder, freeze, env)
    assert "celery==" in (folder / "before.txt").read_text().lower()
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    assert shell(folder, audit, env, check=False).returncode in {0, 1}


@pytest.mark.servers
def test_the_guide_leaving_celery(folder):
    guide = Guide("leaving-celery")
    guide.write(folder)
    before, after = re.findall(r"```python\n(.*?)```", guide.text, re.DOTALL)[1:]
    shop = folder / "orders" / "shop.py"
    shop.write_text(before, encoding="utf-8")
    show, diff, port, check, export, worker, call, finish, finish_all, without = guide.commands
    assert export == f"export TEMPORAL_ADDRESS={ADDRESS}"
    env = environment(folder)
    assert "orders.tasks.ship" in shell(folder, show, env).stdout
    assert "+class SendOut:" in shell(folder, diff, env, check=False).stdout
    assert not (folder / "orders_temporal").exists()
    assert shell(folder, port, env, check=False).returncode == 1
    assert shell(folder, check, env).returncode == 0
    used = shell(folder, finish, env, check=False)
    assert used.returncode == 2
    assert "orders/shop.py:5: tasks.send_out" in used.stderr
    shop.write_text(after, encoding="utf-8")
    with temporal() as server:
        env["TEMPORAL_ADDRESS"] = server.url
        process = subprocess.Popen(worker.split(), cwd=folder, env=env)
        try:
            id_ = shell(folder, call, env).stdout.strip()
            wait = f"from orders_temporal import starter as s; print(s.in_sync(s.wait('{id_}')))"
            assert shell(folder, f'python -c "{wait}"', env).stdout == "['dhl:100', 'dhl:200']\n"
        finally:
            process.terminate()
            process.wait(60)
    shown = shell(folder, finish, env, check=False)
    assert (shown.returncode, "-def send_out(" in shown.stdout) == (1, True)
    assert (folder / "orders" / "tasks.py").exists()
    shell(folder, finish_all, env)
    assert not (folder / "orders" / "tasks.py").exists()
    shell(folder, without, env)


@pytest.mark.servers
def test_the_guide_cloud(folder, prefect_url):
    guide = Guide("cloud")
    guide.write(folder)
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    profile = guide.files()["temporal.toml"]
    exported = [line.partition("=") for line in guide.commands[:3]]
    for name, value in (("address", exported[0]), ("namespace", exported[1])):
        assert f'{name} = "{value[2]}"' in profile
    worker, call = (
        line for line in guide.commands if line in {"python worker.py", "python call.py"}
    )
    with temporal() as server:
        (folder / "temporal.toml").write_text(f'[profile.default]\naddress = "{server.url}"\n')
        env = environment(
            folder, TEMPORAL_CONFIG_FILE=str(folder / "temporal.toml"), RESULTS=results(folder)
        )
        process = subprocess.Popen(worker.split(), cwd=folder, env=env)
        try:
            assert shell(folder, call, env).stdout == "42\n"
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
    *settings, work = guide.commands[-3:]
    env = environment(folder, PREFECT_HOME=str(folder / "home"), RESULTS=results(folder))
    env.pop("PREFECT_API_URL", None)
    for line in settings:
        shell(folder, line.replace("http://127.0.0.1:4200/api", prefect_url), env)
    call_prefect = (folder / "call.py").read_text().replace("temporal", "prefect")
    call_prefect = call_prefect.replace(", client=connected", "")
    (folder / "call_prefect.py").write_text(call_prefect.replace("from connection", "# "))
    with running(folder, work, env, "at work"):
        assert shell(folder, "python call_prefect.py", env).stdout == "42\n"


@pytest.mark.servers
def test_the_guide_upgrading(folder):
    guide = Guide("upgrading")
    guide.write(folder)
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    call = (
        "from offcanvas import reroute\n"
        "from shop import app, double\n"
        "if __name__ == '__main__':\n"
        "    with reroute(app, to='temporal'):\n"
        "        double.apply_async((21,), countdown=600)\n"
    )
    (folder / "call.py").write_text(call, encoding="utf-8")
    with temporal() as server:
        env = environment(folder, TEMPORAL_ADDRESS=server.url, RESULTS=results(folder))
        with running(folder, "python -m offcanvas.engines.temporal shop:app", env, "at work"):
            shell(folder, "python call.py", env)
            for _ in range(600):
                said = shell(folder, guide.commands[-1], env).stdout
                if said:
                    break
    assert re.fullmatch(r"replays \S+ shop\.double\n", said)
