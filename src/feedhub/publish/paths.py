"""Which relative paths may name an output file, on any system it may be copied to."""

import re

from feedhub.errors import PublishError

# Control characters, and what Windows forbids in names; ":" is also its drive letter and its hidden streams.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_NAME_BYTES = 200  # of the usual 255: the temporary name is longer


def checked_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path with forward slashes.

    Raises:
        PublishError: the path is absolute, climbs, or has a name that some system refuses or reads otherwise.
    """
    parts = tuple(path.split("/"))
    for part in parts:
        reason = _objection(part)
        if reason:
            raise PublishError(f"{path!r}: no path of an output file: {reason}")
    return parts


def _objection(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "an empty name, '.' or '..'"
    if _UNSAFE.search(part) or not _encodable(part):
        return "a character that is not allowed in file names"
    if part.endswith((".", " ")):
        return "a name that ends with a dot or a blank"
    if _RESERVED.fullmatch(part):
        return "a name that Windows reserves"
    if len(part.encode()) > _MAX_NAME_BYTES:
        return "a name that is too long"
    return None


def _encodable(part: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in part)
