"""The documentation of offcanvas."""
