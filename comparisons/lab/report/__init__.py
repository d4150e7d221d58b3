"""faults.html: the matrix, each cell of which opens its evidence; one file, no network."""

from comparisons.lab.report.page import render

__all__ = ["render"]
