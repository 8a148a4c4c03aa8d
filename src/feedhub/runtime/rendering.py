"""Templates of the owner, rendered in a worker process: none can hold up the daemon, or take the machine's memory."""

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Final

from feedhub.errors import PublishError, WorkerError
from feedhub.publish.jekyll import PostTemplate
from feedhub.publish.templating import PageTemplates
from feedhub.runtime.worker_pool import WorkerPool

_TIMEOUT: Final = 3.0
_REST: Final = 60.0
_LARGEST: Final = 20_000_000
_MOST_REMEMBERED: Final = 1_000

Texts = tuple[tuple[str, str], ...]


class LimitedTemplates:
    """Renders in a worker process, under limits of time, memory and the size of what is made.

    What a template could not render within them is not tried again with the same values. Nor is that template tried
    with others for ``rest`` seconds: a page that takes too long must not do so for each of a thousand items.
    """

    def __init__(self, *, timeout: float = _TIMEOUT, rest: float = _REST) -> None:
        self._pool = WorkerPool(workers=1, timeout=timeout, modules=(__name__,))
        self._rest = rest
        self._failed: dict[bytes, str] = {}
        self._resting: dict[int, tuple[float, str]] = {}

    def page(self, own: Sequence[tuple[str, str]], added: Mapping[str, str]) -> PageTemplates:
        """Return the templates of a site that are rendered so."""
        return _LimitedPages(own, added, self.rendered)

    def post(self, text: str) -> "_LimitedPost":
        """Return a template of posts that is rendered so.

        Raises:
            PublishError: it is no template.
        """
        self.rendered("template", _checked_post, text, text)
        return _LimitedPost(text, self.rendered)

    def close(self) -> None:
        """Stop the worker."""
        self._pool.close()

    def rendered(self, called: str, render: Callable[..., str], template: object, *given: object) -> str:
        """Return what ``render`` makes of what is given; ``template`` is the one that is ``called`` so.

        Raises:
            PublishError: the template cannot be used, or not within the limits.
        """
        key, values = hash((render, template)), pickle.dumps(given)
        if known := self._failure(key, values):
            raise PublishError(known)
        try:
            made = self._pool.run(_in_worker, render, values)
        except WorkerError as error:
            reason = f"{called}: {error}"
            if len(self._failed) < _MOST_REMEMBERED:
                self._failed[hashlib.sha256(values).digest()] = reason
            self._resting[key] = (monotonic() + self._rest, reason)
            raise PublishError(reason) from error
        if isinstance(made, _Refused):
            raise PublishError(made.reason)
        return made

    def _failure(self, key: int, values: bytes) -> str | None:
        until, reason = self._resting.get(key, (0.0, None))
        if monotonic() < until or not self._failed:
            return reason
        return self._failed.get(hashlib.sha256(values).digest())


class _LimitedPages(PageTemplates):
    def __init__(self, own: Sequence[tuple[str, str]], added: Mapping[str, str], rendered: Callable[..., str]) -> None:
        super().__init__(own, added)
        self.is_ours = False
        self._given: tuple[Texts, Texts] = (tuple(own), tuple(added.items()))
        self._rendered = rendered

    def render(self, name: str, values: Mapping[str, object]) -> bytes:
        """See ``PageTemplates.render``."""
        made = self._rendered(f"template {name}", _page, (name, *self._given), *self._given, name, values)
        return made.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _LimitedPost:
    """See ``PostTemplate``."""

    text: str
    rendered: Callable[..., str]

    def render(self, values: Mapping[str, object]) -> str:
        """See ``PostTemplate.render``."""
        return self.rendered("template", _post, self.text, self.text, values)


@dataclass(frozen=True, slots=True)
class _Refused:
    """A PublishError as a value."""

    reason: str


# What runs in the worker. Templates are compiled there, which works out what is constant in them.


def _in_worker(render: Callable[..., str], values: bytes) -> str | _Refused:
    try:
        made = render(*pickle.loads(values))  # noqa: S301 - from the process that this one belongs to
    except PublishError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from error
        return _Refused(str(error))
    if len(made) > _LARGEST:
        return _Refused(f"template: gives more than {_LARGEST // 10**6} MB")
    return made


@lru_cache(maxsize=4)
def _page_templates(own: Texts, added: Texts) -> PageTemplates:
    return PageTemplates(own, dict(added))


@lru_cache(maxsize=4)
def _post_template(text: str) -> PostTemplate:
    return PostTemplate(text)


def _page(own: Texts, added: Texts, name: str, values: Mapping[str, object]) -> str:
    return _page_templates(own, added).render(name, values).decode()


def _checked_post(text: str) -> str:
    _post_template(text)
    return ""


def _post(text: str, values: Mapping[str, object]) -> str:
    return _post_template(text).render(values)
