"""An option that is given twice is a mistake: the parser would silently take the last one."""

from typing import Any

from typer.core import TyperCommand

from offcanvas.errors import UsageError


class Once(TyperCommand):
    """A command that refuses an option given twice, unless it is one to be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See base class.

        Raises:
            UsageError: an option stands there twice.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        seen = set()
        for parameter in order:
            if parameter.name in seen and not parameter.multiple:
                raise UsageError(f"{'/'.join(parameter.opts)} is given more than once")
            seen.add(parameter.name)
        return super().parse_args(ctx, args)
