"""Builders' source to the IR of ``offcanvas.port.ir``, with the names of the audit's index.

The standard library's syntax tree is read, because the index resolves names on it; LibCST is used
where source is rewritten (``offcanvas.port.bodies``) and every comment has to stay.
"""
