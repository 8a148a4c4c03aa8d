"""A disk that loses what it was not made to hold."""

import os
from collections.abc import Collection
from pathlib import Path

from feedhub.publish.disk import sync_to_disk


class Disk:
    """Remembers what it was made to hold; ``cut`` is the call in which the power fails."""

    def __init__(self, cut: int, held: Collection[int] = ()) -> None:
        self.left = cut
        self.held = set(held)

    def __call__(self, paths: Collection[str]) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        sync_to_disk(paths)
        self.held.update(Path(path).stat().st_ino for path in paths if Path(path).is_file())

    def lose(self, folder: Path) -> None:
        """Cut all files that the disk was not made to hold."""
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_ino not in self.held:
                os.truncate(path, path.stat().st_size // 2)
