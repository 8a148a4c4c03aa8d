"""The formats of feeds: the built-in ones by name, and how a format of any package becomes a file."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from feedhub.errors import PublishError
from feedhub.model.output import FormatTable, OutputFile, OutputFormat, OutputView
from feedhub.publish.addresses import feed_path

if TYPE_CHECKING:
    from feedhub.publish.entry import EntryCache

# What renders is imported when the first feed is rendered: mostly no poll brings anything new, and every command that
# reads the configuration needs the names of the formats.


def _atom(view: OutputView, cache: "EntryCache") -> bytes:
    from feedhub.publish.atom_rss import render_atom

    return render_atom(view, cache)


def _rss(view: OutputView, cache: "EntryCache") -> bytes:
    from feedhub.publish.atom_rss import render_rss

    return render_rss(view, cache)


def _json_feed(view: OutputView, cache: "EntryCache") -> bytes:
    from feedhub.publish.json_feed import render_json_feed

    return render_json_feed(view, cache)


def built_in_formats(cache: "EntryCache | None" = None) -> tuple[OutputFormat, ...]:
    """Return the built-in formats; ``cache`` is shared by them."""

    def cached(render: Callable[[OutputView, "EntryCache"], bytes]) -> Callable[[OutputView], bytes]:
        def rendered(view: OutputView) -> bytes:
            from feedhub.publish.entry import EntryCache

            return render(view, cache or EntryCache())

        return rendered

    return (
        OutputFormat(name="atom", title="Atom", media_type="application/atom+xml", render=cached(_atom)),
        OutputFormat(name="rss", title="RSS", media_type="application/rss+xml", render=cached(_rss)),
        OutputFormat(name="json", title="JSON Feed", media_type="application/feed+json", render=cached(_json_feed)),
    )


FORMAT_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,15}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*(?:; ?charset=[a-z0-9-]+)?")
FORMATS: Final = FormatTable(formats=built_in_formats())
ATOM_FORMAT: Final = FORMATS.formats[0]


def format_fault(declared: OutputFormat) -> str:
    """Return why a format cannot be used, "" if it can: files need its name, and web servers its media type."""
    if not all(isinstance(text, str) for text in (declared.name, declared.title, declared.media_type)):
        return "declares a title or a media type that is no text"
    if not FORMAT_NAME.fullmatch(declared.name):
        return f"declares the name {declared.name!r}, which is not made of a to z and digits"
    if not _MEDIA_TYPE.fullmatch(declared.media_type):
        return f"declares {declared.media_type!r}, which is no media type"
    return ""


@dataclass(frozen=True, slots=True)
class FormatRenderer:
    """Writes ``feeds/<slug>.<name>`` in one format; whatever goes wrong in it costs that file."""

    format: OutputFormat

    @property
    def name(self) -> str:
        """The name of the format."""
        return self.format.name

    def render(self, view: OutputView) -> OutputFile:
        """Return the file of a view.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty), or the format fails.
        """
        path = feed_path(view.feed.slug, self.format.name, view.part)
        try:
            body = self.format.render(view)
        except PublishError:
            raise
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as {self.format.title}: {exc}") from exc
        except Exception as exc:  # a format of another package can raise whatever Python can
            reason = f"{type(exc).__name__}: {exc}"
            raise PublishError(f"{path}: the format {self.format.name} failed: {reason}") from exc
        if not isinstance(body, bytes):
            raise PublishError(f"{path}: the format {self.format.name} gave {type(body).__name__} instead of bytes")
        return OutputFile(path=path, body=body)


def renderers(
    names: Sequence[str], cache: "EntryCache | None" = None, added: Sequence[OutputFormat] = ()
) -> tuple[FormatRenderer, ...]:
    """Return the renderers of the formats of these names, in that order, each once; ``added`` are of other packages."""
    known = {one.name: one for one in (*added, *built_in_formats(cache))}
    return tuple(FormatRenderer(known[name]) for name in dict.fromkeys(names))
