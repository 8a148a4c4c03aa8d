"""Pages of many items at once, made in worker processes while this one writes files."""

import pickle
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from feedhub.errors import PublishError, WorkerError
from feedhub.model.item import StoredItem
from feedhub.model.output import Category, ItemView, OutputFile, OutputSettings, OutputView, PageItem, Site

if TYPE_CHECKING:
    from feedhub.publish.entry import EntryCache
    from feedhub.publish.html_site import HtmlSite

_FEW: Final = 1_000
"""For fewer items no process is started, nor is anything sent to one."""
_TOGETHER: Final = 100
_AHEAD: Final = 3

Render = Callable[[], OutputFile]
_Asked = Sequence[tuple[StoredItem, PageItem]]


class Workers(Protocol):
    """Runs a function of a module in a worker process."""

    def __call__(self, function: Callable[..., Any], /, *given: object) -> Any:
        """Raises WorkerError when it took too long or too much memory, or broke."""
        ...


@dataclass(frozen=True, slots=True)
class _Made:
    """The page of an item, or why there is none; and how its entry and card are written, for the cache."""

    page: OutputFile | str
    written: dict[str, bytes]


class ManyPages:
    """Makes pages of one site, which is described to the ``workers``."""

    def __init__(
        self,
        page: Callable[[ItemView], OutputFile],
        cache: "EntryCache",
        workers: Callable[[], Workers],
        site: Site,
        output: OutputSettings,
        categories: Sequence[Category],
        *,
        few: int = _FEW,
        together: int = _TOGETHER,
    ) -> None:
        self._page = page
        self._cache = cache
        self._workers = workers
        self._few = few
        self._together = together
        self._facts = pickle.dumps((site, output, tuple(categories)))

    def renders(self, views: Iterator[ItemView], formats: Collection[str]) -> Iterator[Render]:
        """Return what renders each page, in any order; of many, most are made already, and kept in ``formats``, too.

        This process makes some itself rather than wait.
        """
        first = list(islice(views, self._few))
        if len(first) < self._few:
            yield from (partial(self._page, view) for view in first)
            return
        some = _in_parts(chain(first, views), self._together)
        asked: deque[tuple[list[ItemView], Future[list[_Made]]]] = deque()
        workers = self._workers()
        with ThreadPoolExecutor(max_workers=_AHEAD) as threads:
            while True:
                for part in islice(some, _AHEAD - len(asked)):
                    asked.append((part, threads.submit(self._ask, workers, part, tuple(formats))))
                if not asked:
                    return
                if not asked[0][1].done() and (own := next(some, None)):
                    yield from (partial(self._page, view) for view in own)
                else:
                    yield from self._taken_up(*asked.popleft())

    def _ask(self, workers: Workers, part: list[ItemView], formats: tuple[str, ...]) -> list[_Made]:
        view, items = replace(part[0].view, items=()), [(one.view.items[0], one.page) for one in part]
        made: list[_Made] = workers(pages_of, self._facts, formats, view, items)
        return made

    def _taken_up(self, part: list[ItemView], answer: "Future[list[_Made]]") -> Iterator[Render]:
        try:
            made = answer.result()
        except WorkerError:
            yield from (partial(self._page, view) for view in part)
            return
        for view, one in zip(part, made, strict=True):
            self._cache.keep(view.view.items[0], one.written)
            yield partial(_page_of, one)


def _in_parts(views: Iterable[ItemView], together: int) -> Iterator[list[ItemView]]:
    rest = iter(views)
    while part := list(islice(rest, together)):
        yield part


def _page_of(made: _Made) -> OutputFile:
    if isinstance(made.page, str):
        raise PublishError(made.page)
    return made.page


# What runs in a worker.


def pages_of(facts: bytes, formats: Collection[str], view: OutputView, items: _Asked) -> list[_Made]:
    """Return what is made of some items; ``view`` is that of each, without it."""
    site, cache = _site(facts)
    try:
        views = (ItemView(view=replace(view, items=(item,)), page=page) for item, page in items)
        return [_made(site, cache, each, formats) for each in views]
    finally:
        cache.end_publish()
        cache.end_publish()


def _made(site: "HtmlSite", cache: "EntryCache", view: ItemView, formats: Collection[str]) -> _Made:
    from feedhub.publish.atom_rss import atom_entries, rss_items
    from feedhub.publish.json_feed import json_items

    try:
        page: OutputFile | str = site.item(view)
    except PublishError as error:
        page = str(error)
    for name, write in (("atom", atom_entries), ("rss", rss_items), ("json", json_items)):
        if name in formats:
            with suppress(ValueError):  # told when the document is made
                write(view.view, cache)
    return _Made(page, cache.written_of(view.view.items[0]))


@lru_cache(maxsize=1)
def _site(facts: bytes) -> "tuple[HtmlSite, EntryCache]":
    from feedhub.publish.entry import EntryCache
    from feedhub.publish.html_site import HtmlSite

    site, output, categories = pickle.loads(facts)  # noqa: S301 - from the process that this one belongs to
    cache = EntryCache()
    return HtmlSite(site, output, categories, cache=cache), cache
