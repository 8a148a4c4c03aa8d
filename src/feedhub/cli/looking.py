"""Commands that look and change nothing: status, preview, explain, discover, search."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from feedhub.cli.session import ConfigOption, JsonOption, SetOption, VerboseOption, started
from feedhub.errors import PollError

_USERINFO: Final = re.compile(r"(?<=//)[^/?#]*@")


def status(
    ctx: typer.Context,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Show the health of every source and category; starts no poll."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.status_view import print_status
    from feedhub.runtime.status_json import status_json

    with session.hub() as hub:
        found = hub.status()
    if as_json:
        session.screen.json(status_json(found))
    else:
        print_status(session.screen, found, hub.now(), hub.settings.site.timezone)


def preview(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="NAME|URL", help="A configured source, or any address.")],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Items to show.")] = 5,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Show what a source would give; nothing is stored."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.preview_view import preview_json, print_preview

    with session.hub() as hub, _telling(target):
        found = hub.preview(target, limit)
    if as_json:
        session.screen.json(preview_json(found))
    else:
        print_preview(session.screen, found, hub.settings.site.timezone)


def explain(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A URL, an infoCode (or other named key), or an item id.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Tell where an item was seen, and why it is where it is.

    Also how it was recognised, which rule filed or dropped it and when, and which outputs hold it.

    Exit 1 when nothing is known of it.
    """
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.explain_view import explanation_json, print_explanations

    with session.hub() as hub:
        found = hub.explain(ref)
    if as_json:
        session.screen.json([explanation_json(one) for one in found])
    elif found:
        print_explanations(session.screen, found, hub.settings)
    if not found:
        session.screen.tell(
            f"feedhub: nothing is known of {ref}; give a link exactly as a source has it, an infoCode, or an item id "
            "(feedhub search finds items by their words)"
        )
        raise typer.Exit(1)


def discover(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A web page.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """List the feeds that a page offers, as YAML to paste.

    The lines go under `sources:`. Exit 1 when there is none."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.discover_view import discovered_json, discovered_yaml

    with session.hub() as hub, _telling(url):
        found = hub.discover(url)
    if as_json:
        session.screen.json(discovered_json(found))
    elif found:
        session.screen.document(discovered_yaml(found, taken={source.name for source in hub.settings.sources}))
    if not found:
        session.screen.tell(f"feedhub: {url} offers no feed")
        raise typer.Exit(1)


def search(
    ctx: typer.Context,
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="Words that must all occur.")],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Items to show.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Search the full text of stored items, Chinese included."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.search_view import hit_json, print_hits

    with session.hub() as hub:
        hits = hub.search(" ".join(query), limit)
    if as_json:
        session.screen.json([hit_json(hit) for hit in hits])
    else:
        print_hits(session.screen, hits, hub.settings.site.timezone)


@contextmanager
def _telling(target: str) -> Iterator[None]:
    """Put what was asked for before what went wrong with it (SPEC §2: an error names the place)."""
    try:
        yield
    except PollError as error:
        raise PollError(f"{_USERINFO.sub('', target)}: {error}", status=error.status) from error
