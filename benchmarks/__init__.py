"""Measurements of the kit; run as modules."""
