"""offcanvas: any Celery canvas shown, run elsewhere, checked and audited."""
