"""Engines that run canvases with Celery's meaning."""
