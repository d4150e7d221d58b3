"""Processes in which a worker of any engine runs the app's tasks."""
