"""Read a Celery code base, without importing or running it, and say what will go wrong."""
