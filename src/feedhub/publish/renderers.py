"""The output formats by name. A new one is a file and a line here."""

from collections.abc import Sequence

from feedhub.model.output import FeedFormat
from feedhub.ports.publishing import Renderer
from feedhub.publish.atom_rss import AtomRenderer, RssRenderer
from feedhub.publish.entry import EntryTexts
from feedhub.publish.json_feed import JsonFeedRenderer


def renderers(formats: Sequence[FeedFormat], texts: EntryTexts | None = None) -> tuple[Renderer, ...]:
    """Return the renderers of ``formats``, in that order, each once. ``texts`` is what was written before."""
    texts = texts or EntryTexts()
    known: dict[FeedFormat, Renderer] = {
        "atom": AtomRenderer(texts),
        "rss": RssRenderer(texts),
        "json": JsonFeedRenderer(texts),
    }
    return tuple(known[kind] for kind in dict.fromkeys(formats))
