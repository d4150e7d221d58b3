"""The report: one HTML file that needs nothing but a browser."""

from comparisons.report.page import render

__all__ = ["render"]
