"""Files that are written one by one, each in its place at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.publish.files import FileGroup, FolderWriter


class AtOnce(FolderWriter):
    """Has a group for every file; raises PublishError also for what turns out in the end only."""

    def write(self, file: OutputFile) -> bool:
        """See ``FileGroup.write``."""
        with self._at_once() as group:
            return group.write(file)

    def remove(self, path: str) -> bool:
        """See ``FileGroup.remove``."""
        with self._at_once() as group:
            return group.remove(path)

    def move(self, old: str, new: str) -> bool:
        """See ``FileGroup.move``."""
        with self._at_once() as group:
            return group.move(old, new)

    def read(self, path: str) -> bytes | None:
        """See ``FileGroup.read``."""
        return self.group().read(path)

    def names(self, folder: str) -> list[str]:
        """See ``FileGroup.names``."""
        return self.group().names(folder)

    @contextmanager
    def _at_once(self) -> Iterator[FileGroup]:
        with self.group() as group:
            yield group
            for reason in group.commit().values():
                raise PublishError(reason)
