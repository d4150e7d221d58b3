"""For test suites: the pytest plugin, and the canvas suite for authors of engines."""
