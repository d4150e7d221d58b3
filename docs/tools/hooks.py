"""What MkDocs calls while it builds the site.

Pages that come from the code are made here, so that they cannot be stale: the commands, the concept
map. Pages at the root of the checkout become pages of the site. Links that lead out of the
documentation lead to the repository, if what they name is in the checkout; a link to nothing stays
as it is, and the strict build fails on it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.tools import commands, concepts

ROOT: Final = Path(__file__).resolve().parents[2]
REPOSITORY: Final = "https://github.com/offcanvas/offcanvas"
#: Files of the checkout that are pages of the site.
FROM_ROOT: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASING.md": "releasing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
#: Sections of the navigation with their pages; those that are not there are left out, and pages
#: that are named nowhere stand among the guides.
SECTIONS: Final = {
    "Guides": (
        "canvas.md",
        "audit.md",
        "port.md",
        "port-by-hand.md",
        "preflight.md",
        "compare.md",
        "shadow.md",
        "migration.md",
        "cutover.md",
        "schedules.md",
        "drain.md",
        "monitoring.md",
        "docker.md",
    ),
    "Concepts": ("concepts.md", "support.md", "architecture.md", "glossary.md"),
    "Reference": ("commands.md", "api.md", "engines.md", "audit-rules.md"),
    "Evidence": (
        "comparisons.md",
        "airflow.md",
        "faults.md",
        "conformance.md",
        "lessons.md",
        "workflow.md",
    ),
    "Project": ("contributing.md", "changelog.md", "releasing.md", "security.md"),
}
_LINK: Final = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_FENCE: Final = re.compile(r"^( *)(```+|~~~+).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the navigation of what is there."""
    docs = Path(config.docs_dir)
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    there |= {page for source, page in FROM_ROOT.items() if (ROOT / source).is_file()}
    there |= {"commands.md"}
    named = {page for pages in SECTIONS.values() for page in pages} | {"index.md", "tutorial.md"}
    nav: list[str | dict[str, str | list[str]]] = [
        {"Home": "index.md"},
        {"Tutorial": "tutorial.md"},
    ]
    for title, pages in SECTIONS.items():
        others = sorted(there - named) if title == "Guides" else []
        nav.append({title: [*(page for page in pages if page in there), *others]})
    config.nav = nav
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of the documentation's folder."""
    for source, page in FROM_ROOT.items():
        if (ROOT / source).is_file():
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "commands.md", content=commands.markdown()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in the concept map, and have links lead to pages or to the repository."""
    if page.file.src_uri == "concepts.md":
        markdown = markdown.replace(concepts.MARKER, concepts.markdown())
    sources = {page_: source for source, page_ in FROM_ROOT.items()}
    # Where the page stands in the checkout, which its links start from.
    stands = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return with_links(markdown, stands, page.file.src_uri)


def with_links(markdown: str, stands: str, page: str) -> str:
    """The page with links as the site needs them; code stays as it is.

    Args:
        markdown: the page.
        stands: its file in the checkout.
        page: its name in the site.
    """
    parts, end = list[str](), 0
    for fence in _FENCE.finditer(markdown):
        parts += [_linked(markdown[end : fence.start()], stands, page), fence[0]]
        end = fence.end()
    return "".join([*parts, _linked(markdown[end:], stands, page)])


def _linked(text: str, stands: str, page: str) -> str:
    def linked(match: re.Match[str]) -> str:
        begin, target, rest = match.groups()
        if ":" in target:
            return match[0]
        leads = posixpath.normpath(posixpath.join(posixpath.dirname(stands), target))
        inside = FROM_ROOT.get(leads)
        if inside is None and leads.startswith("docs/"):
            inside = leads.removeprefix("docs/")
        if inside is not None and (ROOT / leads).is_file():
            return f"{begin}{posixpath.relpath(inside, posixpath.dirname(page) or '.')}{rest}"
        path = ROOT / leads
        if leads.startswith("..") or not path.exists():
            return match[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"{begin}{REPOSITORY}/{kind}/main/{leads}{rest}"

    return _LINK.sub(linked, text)
