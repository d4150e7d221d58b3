"""Canvases of courtlistener (cl/recap/tasks.py, cl/corpus_importer/task_canvases.py), stubbed."""
