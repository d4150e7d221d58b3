"""Celery's own canvas tests, unedited, on the engines of the kit: `make conformance`.

* `plugin` is the pytest plugin that puts an engine where Celery's tests have a Celery worker;
* `expected.toml` names every test that does not simply pass, with the reason;
* `results/` keeps the last full run on each engine, from which `page` makes docs/conformance.md.

What runs by itself, without a download, is `test_page.py`: that the three agree.
"""
