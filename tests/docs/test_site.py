"""The site: it builds, its links lead somewhere, it loads nothing from other hosts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.tools import concepts
from docs.tools.hooks import FROM_ROOT, REPOSITORY, with_links
from offcanvas.engines.features import Feature

ROOT = Path(__file__).parents[2]
#: What a browser loads by itself.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=[\"']?(https?:[^\"' >]+)"
)


def build(folder, config=ROOT / "mkdocs.yml"):
    return subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--config-file", str(config), "--site-dir", str(folder)),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stderr
    return folder


def page(site, name):
    return (site / f"{name}.html").read_text(encoding="utf-8")


def test_every_page_of_the_documentation_is_there(site):
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    pages += [Path(name) for source, name in FROM_ROOT.items() if (ROOT / source).is_file()]
    assert len(pages) > 15
    assert [name for name in pages if not (site / name.with_suffix(".html")).is_file()] == []


def test_nothing_is_loaded_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert pages
    assert {url for one in pages for url in LOADED.findall(one.read_text("utf-8"))} == set()
    assert LOADED.findall('<script src="https://unpkg.com/shim">') == ["https://unpkg.com/shim"]
    styles = "".join(one.read_text("utf-8") for one in site.rglob("*.css"))
    assert not re.search(r"url\([\"']?https?:", styles)


def test_the_commands_and_their_options_are_there(site):
    ran = subprocess.run(
        [sys.executable, "-c", "from offcanvas.cli import main; main()", "check", "--help"],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    options = set(re.findall(r"--[a-z][a-z-]+", ran.stdout))
    assert {"--on", "--strict-celery", "--help"} <= options
    assert [one for one in options if one not in page(site, "commands")] == []


def test_the_map_has_a_row_for_each_feature(site):
    text = page(site, "concepts")
    assert concepts.MARKER not in text
    assert [one for one in Feature if f'href="support.html#{one}"' not in text] == []
    rows = concepts.markdown().splitlines()[2:]
    assert len(rows) == len(Feature)
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)


def test_the_api_is_there(site):
    text = page(site, "api")
    assert 'id="offcanvas.reroute"' in text
    assert "strict_celery" in text


@pytest.mark.parametrize(
    ("markdown", "stands", "name", "wanted"),
    [
        ("[a](canvas.md#on-prefect)", "docs/audit.md", "audit.md", "[a](canvas.md#on-prefect)"),
        ("[a](docs/audit.md)", "README.md", "index.md", "[a](audit.md)"),
        ("[a](../CONTRIBUTING.md#x)", "docs/a.md", "a.md", "[a](contributing.md#x)"),
        ("[a](../canvas.md)", "docs/guides/a.md", "guides/a.md", "[a](../canvas.md)"),
        ("[a](../shared)", "docs/a.md", "a.md", f"[a]({REPOSITORY}/tree/main/shared)"),
        ("[a](Makefile)", "README.md", "index.md", f"[a]({REPOSITORY}/blob/main/Makefile)"),
        ("[a](../nowhere.py)", "docs/a.md", "a.md", "[a](../nowhere.py)"),
        ("[a](../../etc/passwd)", "docs/a.md", "a.md", "[a](../../etc/passwd)"),
        ("[a](https://docs.celeryq.dev/x)", "docs/a.md", "a.md", "[a](https://docs.celeryq.dev/x)"),
        ("![a](docs/images/report.png)", "README.md", "index.md", "![a](images/report.png)"),
        ("```\nx[a](../shared)\n```\n", "docs/a.md", "a.md", "```\nx[a](../shared)\n```\n"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(markdown, stands, name, wanted):
    assert with_links(markdown, stands, name) == wanted


@pytest.mark.parametrize(
    "broken", ["[a](nowhere.md)", "[a](canvas.md#nowhere)", "[a](../offcanvas/nowhere.py)"]
)
def test_a_link_to_nothing_fails_the_build(tmp_path, broken):
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "canvas.md", docs)
    (docs / "broken.md").write_text(f"# Broken\n\n{broken}\n", encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = config.replace("docs_dir: docs", f"docs_dir: {docs}")
    config = config.replace("docs/tools/hooks.py", f"{ROOT}/docs/tools/hooks.py")
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    built = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert built.returncode == 1
    assert re.search(r"broken\.md.*nowhere", built.stderr)


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_between_files_lead_somewhere_in_the_checkout(path):
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)\s#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
