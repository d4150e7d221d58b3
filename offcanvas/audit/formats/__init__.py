"""One module for each format; each has `render(report) -> str`."""
