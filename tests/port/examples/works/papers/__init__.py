"""Canvases of paperless-ngx (documents/bulk_edit.py, paperless_mail/mail.py), bodies stubbed."""
