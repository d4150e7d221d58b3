"""The same canvas on real Celery and on other engines, compared."""
