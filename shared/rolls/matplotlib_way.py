"""The way of plotting libraries to the same page, for the benchmark to compare with.

Matplotlib is not a dependency of the project; this module is imported only where it is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.rolls.roll import RollEntry


def write_pages(entries: Sequence[RollEntry], pages: int, path: Path) -> int:
    """Write the same entries on each of several pages as a table on a plot; return ``pages``."""
    # By name, since the type checker and most machines do not have it.
    import_module("matplotlib").use("Agg")
    pyplot = import_module("matplotlib.pyplot")
    rows = [[str(n), entry.voter_id, entry.voter_name, ""] for n, entry in enumerate(entries, 1)]
    with import_module("matplotlib.backends.backend_pdf").PdfPages(path) as document:
        for page in range(1, pages + 1):
            figure, axes = pyplot.subplots(figsize=(8.27, 11.69))
            axes.axis("off")
            axes.table(
                cellText=rows,
                colLabels=["No.", "Voter ID", "Name", "Signature"],
                colWidths=[0.07, 0.18, 0.45, 0.3],
                cellLoc="left",
                loc="center",
            )
            figure.text(0.1, 0.05, f"Voter List - Page-{page}")
            document.savefig(figure)
            pyplot.close(figure)
    return pages
