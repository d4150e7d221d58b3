"""Canvases of ocw-studio (gdrive_sync/tasks.py, content_sync/tasks.py): shape and options kept."""
