"""Claims by their address."""

from __future__ import annotations

from offcanvas.cutover.claims import Claims
from offcanvas.errors import MissingExtra

_REDIS = ("redis://", "rediss://", "unix://")


def open_claims(address: str) -> Claims:
    """The claims at an address: of a Redis, of a database, ``django`` or ``django:alias``.

    Raises:
        UsageError: nothing can be kept there, or a library is missing.
    """
    try:
        if address.startswith(_REDIS):
            from offcanvas.cutover.redis import RedisClaims

            return RedisClaims(address)
        if is_django(address):
            from offcanvas.cutover.django import django_claims

            return django_claims(address)
        from offcanvas.cutover.sql import sqlalchemy_claims

        return sqlalchemy_claims(address)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"these claims need {error.name}: pip install 'offcanvas[cutover]'"
        ) from error


def is_django(address: str) -> bool:
    """Whether the claims are in Django's own database."""
    return address == "django" or address.startswith("django:")
