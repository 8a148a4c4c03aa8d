"""What is rendered and written."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from feedhub.model.output import CategorySummary, OutputFile, OutputView, PostView


class Renderer(Protocol):
    """Turns a view into one file. Pure: same view, same bytes."""

    def render(self, view: OutputView) -> OutputFile:
        """Raises PublishError when the view cannot be rendered."""
        ...


class IndexRenderer(Protocol):
    """Renders the files that speak of all outputs: the OPML list and the manifest. Pure."""

    def render(
        self, categories: Sequence[CategorySummary], *, items: int, changed_at: datetime
    ) -> tuple[OutputFile, ...]:
        """Return the files; the manifest is the last, so that what it names exists when it is read."""
        ...

    def listed(self, manifest: bytes) -> tuple[str, ...]:
        """Return the slugs that an earlier manifest names; () for one that cannot be read."""
        ...

    def paths(self, slug: str) -> tuple[str, ...]:
        """Return the paths of every file that an output of this slug may own, in any format."""
        ...


class PostFormat(Protocol):
    """Turns an item of a category into a post. Pure: same view, same bytes."""

    def render(self, view: PostView) -> OutputFile:
        """Return the post, in the folder for new posts.

        Raises:
            PublishError: this item cannot become a post.
        """
        ...

    def path(self, view: PostView, today: date) -> str:
        """Return where the post belongs on ``today``: with the posts or in the archive. The name begins with its day.

        Raises:
            PublishError: this item cannot become a post.
        """
        ...


class OutputWriter(Protocol):
    """Puts files into the output folder, whole or not at all."""

    def write(self, file: OutputFile) -> bool:
        """Write through a temporary name; return False and touch nothing if the bytes are already there.

        Raises:
            PublishError: no room, no permission, or a path that would leave the folder.
        """
        ...

    def remove(self, path: str) -> bool:
        """Remove a file that was published before; False if it was not there."""
        ...

    def move(self, old: str, new: str) -> bool:
        """Rename a file in one step, in the place of what is at ``new``; False if ``old`` is not there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted, hidden ones left out; [] if there is none."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a published file, or None."""
        ...
