"""From an OPML list to a file of sources beside the configuration."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count as counted
from pathlib import Path

from feedhub.cli.commands import write_new
from feedhub.cli.screen import count
from feedhub.config.opml import OpmlImport, Skipped, sources_yaml
from feedhub.model.settings import Settings
from feedhub.rules.categorize import category_slug
from feedhub.rules.urls import canonical_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did: the file it wrote, if any, the configuration beside it, and what to say."""

    path: Path | None
    config: Path
    lines: tuple[str, ...]


def import_subscriptions(offered: OpmlImport, settings: Settings, wished_name: str) -> Imported:
    """Write the subscriptions that are not configured yet to ``sources/NAME.yaml``.

    Raises:
        UsageError: the file cannot be written.
    """
    new = _without_configured(offered, settings)
    path = _write(new, settings, wished_name) if new.subscriptions else None
    return Imported(path=path, config=Path(settings.files[0]), lines=tuple(_lines(new, path)))


def _without_configured(offered: OpmlImport, settings: Settings) -> OpmlImport:
    configured = {_address(source.url): source.name for source in settings.sources}
    repeats = [
        Skipped(title=each.title, url=each.url, reason=f"configured already as {configured[_address(each.url)]}")
        for each in offered.subscriptions
        if _address(each.url) in configured
    ]
    return replace(
        offered,
        subscriptions=tuple(each for each in offered.subscriptions if _address(each.url) not in configured),
        repeats=(*offered.repeats, *repeats),
    )


def _address(url: str) -> str:
    return canonical_url(url) or url.rstrip("/").lower()


def _write(new: OpmlImport, settings: Settings, wished_name: str) -> Path:
    folder = Path(settings.files[0]).parent / "sources"
    name = category_slug(wished_name) or "subscriptions"
    names = [source.name for source in settings.sources]
    content = sources_yaml(new.subscriptions, names, settings.categories).encode()
    for number in counted(1):
        path = folder / (f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml")
        if write_new(path, content):
            break
    return path


def _lines(new: OpmlImport, path: Path | None) -> Iterator[str]:
    categories = {category for each in new.subscriptions for category in each.categories}
    if path:
        yield (
            f"wrote {path}: {count(len(new.subscriptions), 'source')} "
            f"in {count(len(categories), 'category', 'categories')}"
        )
    else:
        yield "nothing new to import"
    for word, left_out in (("skipped", new.skipped), ("repeated", new.repeats)):
        for each in left_out:
            yield f"{word}: {' '.join(part for part in (each.title, each.url) if part)}: {each.reason}"
