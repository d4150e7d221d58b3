"""Programs that mypy reads in strict mode, as a user's own: `make lint` runs it over them."""
