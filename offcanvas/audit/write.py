"""Write files whole or not at all."""

from pathlib import Path

from offcanvas.errors import UsageError


def write_whole(path: Path, data: bytes, what: str) -> None:
    """Write a file by way of a second one beside it; its mode stays.

    What is no regular file ("/dev/stdout", a pipe) is written to directly. Raises UsageError,
    which calls the file `what`.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        target = path.resolve()  # a link stays a link
        partial = target.with_name(f".{target.name}.offcanvas")
        try:
            partial.write_bytes(data)
            if target.exists():
                partial.chmod(target.stat().st_mode)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{what} cannot be written: {error.strerror}") from error
