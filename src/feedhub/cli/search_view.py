"""What ``search`` says: the items found, best first."""

from typing import Any

from feedhub.cli.screen import Screen
from feedhub.cli.words import count, moment
from feedhub.model.report import SearchHit


def print_hits(screen: Screen, hits: tuple[SearchHit, ...], timezone: str) -> None:
    """Print a paragraph per item."""
    for hit in hits:
        screen.say(hit.title or "(no title)", style="bold")
        screen.say(f"  {moment(hit.published_at, timezone)}  {hit.source}  {hit.link or '(no link)'}")
        screen.say(f"  {hit.snippet}" if hit.snippet else "  (no text)")
        screen.say(f"  {hit.id}", style="dim")
    screen.say(f"{count(len(hits), 'item')} found")


def hit_json(hit: SearchHit) -> dict[str, Any]:
    """Return one item as ``search --json`` prints it."""
    return {
        "id": hit.id,
        "title": hit.title,
        "link": hit.link,
        "source": hit.source,
        "published": hit.published_at.isoformat(),
        "snippet": hit.snippet,
    }
