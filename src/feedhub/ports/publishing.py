"""What publishing asks of the outside: renderers of each kind of file, and the output folder."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Final, Protocol

from feedhub.model.item import StoredItem
from feedhub.model.output import (
    CategorySummary,
    FrontView,
    ItemView,
    ListedOutputs,
    OutputFile,
    OutputView,
    Part,
    PostView,
    SourceLine,
)

REMEMBERED: Final = ".feedhub/"
"""The folder of what feedhub itself remembers, in the output folder. Nobody is shown it."""
STATE: Final = f"{REMEMBERED}state.json"
OWN_MARK: Final = "Written by feedhub"
"""What stands in a file of ours where an owner may have one of that name."""


class FeedRenderer(Protocol):
    """Turns a view into one file. Pure: same view, same bytes."""

    @property
    def name(self) -> str:
        """The name of the format, and the ending of its files."""
        ...

    def render(self, view: OutputView) -> OutputFile:
        """Raises PublishError when the view cannot be rendered."""
        ...


class IndexRenderer(Protocol):
    """Renders the lists of all outputs: the OPML list and the manifest. Pure."""

    def render(self, together: CategorySummary, categories: Sequence[CategorySummary]) -> tuple[OutputFile, ...]:
        """Return the files; the manifest is the last, so that what it names exists when it is read.

        ``together`` is what the combined feed shows.
        """
        ...

    def listed(self, manifest: bytes) -> ListedOutputs:
        """Return what an earlier manifest names; nothing for one that cannot be read."""
        ...

    def paths(self, slug: str, part: Part | None = None, *, earlier: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the paths of every feed file that an output of this slug, or a part of its archive, may own.

        ``earlier`` are the formats that the last manifest named.
        """
        ...


class PagePaths(Protocol):
    """Says where pages are in the output folder, also when none are written."""

    def item(self, item: StoredItem) -> str:
        """Return the path of an item's page, from its id and published time alone."""
        ...

    def list_page(self, slug: str, part: Part | None = None) -> str:
        """Return the path of the first page of an output's list, or of one of its older pages."""
        ...

    def shared(self) -> tuple[str, ...]:
        """Return the paths of files that may be of the owner of the site: ours have ``OWN_MARK`` in them."""
        ...

    def single(self) -> tuple[str, ...]:
        """Return the paths of the pages and files that there are once: front page, sources, style sheet and so on."""
        ...


class PageRenderer(Protocol):
    """Renders the pages that people look at. Pure: same view, same bytes.

    Every method that renders raises PublishError when a template fails on what it is given.
    """

    @property
    def design(self) -> str:
        """A digest of the templates and of all else that every page shows: when it changes, all pages do."""
        ...

    def items(self, views: Iterator[ItemView], formats: Collection[str]) -> Iterator[Callable[[], OutputFile]]:
        """Return what renders the page of each item, in any order; feeds in some ``formats`` show them soon, too."""
        ...

    def list_page(self, view: OutputView, months: Sequence[Part]) -> OutputFile:
        """Return the first page of an output's list, with links to its ``months``, or one of its older pages."""
        ...

    def remembers(self, category: CategorySummary) -> bool:
        """Tell whether the front page and that of all categories can be made without the items of this one."""
        ...

    def front(self, view: FrontView) -> OutputFile:
        """Return the front page."""
        ...

    def categories(self, view: FrontView) -> OutputFile:
        """Return the page of all categories."""
        ...

    def subscribe(self, categories: Sequence[CategorySummary]) -> OutputFile:
        """Return the page that says how to subscribe to each output."""
        ...

    def sitemap(self, items: Sequence[StoredItem], slugs: Sequence[str]) -> OutputFile:
        """Return the sitemap: the lists of these outputs, and these items."""
        ...

    def sources(self, lines: Sequence[SourceLine]) -> OutputFile:
        """Return the page of the sources."""
        ...

    def fixed(self) -> tuple[OutputFile, ...]:
        """Return the files that do not depend on any item: style sheet, icon, the page for a wrong address."""
        ...


class PostRenderer(Protocol):
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


class OutputGroup(Protocol):
    """Writes files that get their places together, in the order in which they were written, removed and moved.

    Each is there whole or not at all. ``read`` and ``names`` tell what will be.
    """

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

    def commit(self) -> dict[str, str]:
        """Have all in its place, and on the disk; return by path why what could not be.

        What feedhub remembers in the folder stays as it is when anything before it could not be put in its place.
        """
        ...


class OutputFolder(Protocol):
    """The output folder."""

    def group(self) -> AbstractContextManager[OutputGroup]:
        """Return a block that writes together, and takes back at its end what was not committed."""
        ...
