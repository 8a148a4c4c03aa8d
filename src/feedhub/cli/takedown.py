"""The commands that take things down: ``hide``, ``unhide`` and ``forget``."""

from typing import TYPE_CHECKING, Annotated

import typer

from feedhub.cli.main import JsonOption, Session, command

if TYPE_CHECKING:
    from feedhub.model.report import Explanation, PublishReport
    from feedhub.runtime.hub import Hub

_ITEM_HELP = "A URL, an item id, an infoCode or other named key, or the item's own page."
_ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help=_ITEM_HELP)]
_NoPublishOption = Annotated[bool, typer.Option("--no-publish", help="Store only; outputs stay due.")]


@command()
def hide(
    session: Session,
    item: _ItemArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; `explain` shows it.")] = "",
    no_publish: _NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take an item out of all outputs and searches.

    Feeds, pages, posts and archives no longer have it. It stays hidden when it comes again, until `unhide`. What its
    sources say of it is stored on. Publishes what changed; a running daemon and web server need not be told.
    """
    with session.hub() as hub:
        found = hub.hide(item, reason)
        report = _published(hub, is_wanted=not no_publish)
    _say(session, "hidden", found, report, as_json=as_json)


@command()
def unhide(
    session: Session, item: _ItemArgument, no_publish: _NoPublishOption = False, as_json: JsonOption = False
) -> None:
    """Show a hidden item again, as the rules leave it."""
    with session.hub() as hub:
        found = hub.unhide(item)
        report = _published(hub, is_wanted=not no_publish)
    _say(session, "shown again", found, report, as_json=as_json)


@command()
def forget(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source, configured or not.")],
    no_publish: _NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete for good what a source said of its items.

    It goes from all outputs and searches. What other sources say of the same items stays. The keys are remembered, so
    nothing of it is presented when it comes again. There is no way back but a backup.
    """
    from feedhub.cli.screen import count
    from feedhub.cli.views import print_published, published_json

    with session.hub() as hub:
        forgotten = hub.forget(source)
        report = _published(hub, is_wanted=not no_publish)
        is_configured = source in {one.name for one in hub.settings.sources}
    if as_json:
        session.screen.json({"source": source, "items": forgotten, "published": report and published_json(report)})
    else:
        session.screen.print(f"forgotten: what {source} said of {count(forgotten, 'item')}")
        if is_configured:
            session.screen.print(f"{source} is still configured: what is new in it is shown")
        if report is not None:
            print_published(session.screen, report)
    if report is not None and report.failed:
        raise typer.Exit(1)


def _published(hub: "Hub", *, is_wanted: bool) -> "PublishReport | None":
    if not is_wanted:
        return None
    hub.sync()
    return hub.publish_due()


def _say(session: Session, what: str, found: "Explanation", report: "PublishReport | None", *, as_json: bool) -> None:
    from feedhub.cli.views import print_published, published_json

    if as_json:
        facts = {"item_id": found.item_id, "title": found.title, "state": what}
        session.screen.json({**facts, "published": report and published_json(report)})
    else:
        session.screen.print(f"{what}: {found.item_id} “{found.title or '(no title)'}”")
        if report is not None:
            print_published(session.screen, report)
    if report is not None and report.failed:
        raise typer.Exit(1)
