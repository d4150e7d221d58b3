"""Ports: source for Temporal and Prefect, written from the source of a canvas.

    read/     a builder's source to the IR (``ir``), names resolved by the audit's index
    split     what the canvas reads of the world becomes steps that return data
    lower     the IR to statements (``script``) that no engine has to do with
    check     the statements against the original builder: the same calls, also after failures
    bodies    bodies of tasks as plain functions, without Celery
    emit/     statements, steps and policies as an engine's source
    report    decisions, todos, PORT.md; ``codes`` explains each
    survey    what a port of each canvas would have to decide, without writing one
    finish    Celery's side goes, once nothing uses it
    api       ``read`` and ``emit``

Nothing but the commands imports this package.
"""
