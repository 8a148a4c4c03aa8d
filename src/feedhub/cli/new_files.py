"""Files that are written once and never overwritten."""

from pathlib import Path

from feedhub.errors import UsageError


def write_new(path: Path, content: bytes) -> bool:
    """Write a file and the folders above it; False, with nothing touched, when something is there already.

    Raises:
        UsageError: no permission, no room, or a file where a folder is needed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        if path.parent.is_dir():
            return False
        raise UsageError(f"{error.filename} is a file where a folder is needed") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return True
