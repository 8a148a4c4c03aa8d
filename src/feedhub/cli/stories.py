"""``feedhub stories``: what tells the same news, and what of that a person knows better."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli.main import ConfigOption, JsonOption, NoPublishOption, Session, SetOption, command
from feedhub.cli.screen import Screen, count, local_time
from feedhub.model.story import StoriesTrial, StoryGroup, StoryMember, ToldStory

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub

stories: Final = typer.Typer(rich_markup_mode=None, help="See which items tell the same news.")
_ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="A URL, an item id, or the item's own page.")]


class StoryCare(StrEnum):
    """How much alike two reports must be."""

    CAREFUL = "careful"
    NORMAL = "normal"


@stories.callback(invoke_without_command=True)
def today(ctx: typer.Context, config: ConfigOption = None, overrides: SetOption = None) -> None:
    """See which items tell the same news. Without a command: the stories of today."""
    session: Session = ctx.ensure_object(Session)
    session.add_options(config, overrides)
    if ctx.invoked_subcommand is None:
        list_stories(ctx)


@stories.command("list", epilog="Example: feedhub stories list --days 1")
@command()
def list_stories(
    session: Session,
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, metavar="N", help="Of these days.")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, metavar="N", help="How many to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the stories of today that most sources report."""
    from feedhub.runtime.stories import decide_stories, group_json

    with session.hub() as hub:
        decide_stories(hub)
        found = hub.store.stories(hub.now() - timedelta(days=days), limit)
        timezone = hub.settings.site.timezone
    if as_json:
        session.screen.json([group_json(group) for group in found])
        return
    session.screen.print(f"{len(found)} {'story' if len(found) == 1 else 'stories'} of several reports", style="bold")
    for line in _group_lines(found, timezone):
        session.screen.print(line)


@stories.command("part", epilog="Example: feedhub stories part https://example.org/news/1.html")
@command()
def part(
    session: Session, item: _ItemArgument, no_publish: NoPublishOption = False, as_json: JsonOption = False
) -> None:
    """Let an item belong to no story.

    It is listed by itself from now on, and nothing joins it. The rest of its story stays together.
    """
    with session.hub() as hub:
        item_id = _decided_item(hub, item)
        is_done = hub.store.part_story(item_id)
        if not no_publish:
            hub.publish_due()
    _say(session, "parted" if is_done else "was parted before", (item_id,), as_json=as_json)


@stories.command("join", epilog="Example: feedhub stories join https://a.example/1 https://b.example/2")
@command()
def join(
    session: Session,
    item: _ItemArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="An item of the other story.")],
    no_publish: NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let two items, with their stories, be one story. What is listed already stays so."""
    with session.hub() as hub:
        ids = _decided_item(hub, item), _decided_item(hub, other)
        is_done = hub.store.join_stories(*ids)
        if not no_publish:
            hub.publish_due()
    _say(session, "joined" if is_done else "were one story before", ids, as_json=as_json)


def _decided_item(hub: "Hub", ref: str) -> str:
    from feedhub.runtime.stories import decide_stories

    decide_stories(hub)
    return hub.named_item(ref)[1]


def _say(session: Session, what: str, ids: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        session.screen.json({"items": ids, "state": what})
    else:
        session.screen.print(f"{what}: {' and '.join(ids)}")


def told_lines(told: ToldStory, item_id: str, timezone: str) -> dict[str, list[str]]:
    """Return what is told of the story of an item, by the name of what it is."""
    members = [story_line(member, timezone) for member in told.members if member.item_id != item_id]
    own = next((member for member in told.members if member.item_id == item_id), None)
    folded = [f"{slug}, which shows {shown}" for slug, shown in told.folded]
    misses = [line for miss in told.misses for line in (story_line(miss, timezone), f"  {miss.reason}")]
    parted = ["of no story, which somebody said"] if told.is_parted else []
    reason = [f"{own.how}: {own.reason}"] if own and own.how else []
    return {"story": [*parted, *reason, *members], "folded in": folded, "nearly with": misses}


def told_json(told: ToldStory) -> dict[str, object]:
    """Return what is told of the story of an item as JSON."""
    from feedhub.runtime.stories import member_json

    return {
        "members": [member_json(member) for member in told.members],
        "nearly": [member_json(miss) for miss in told.misses],
        "folded": [{"output": slug, "shows": shown} for slug, shown in told.folded],
        "waits": told.waits,
        "parted": told.is_parted,
    }


@stories.command("test", epilog="Example: feedhub stories test --days 7")
@command()
def try_stories(
    session: Session,
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, metavar="N", help="Only items of these days.")] = 30,
    care: Annotated[StoryCare, typer.Option("--care", help="How much alike two reports must be.")] = StoryCare.CAREFUL,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000, metavar="N", help="How many stories and near misses to show.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell which stored items are reprints, and which report one event.

    Each with the reason, and what was nearly joined with what kept it apart. Nothing is changed, and outputs show
    nothing of it.
    """
    from feedhub.runtime.stories import try_stories as tried

    with session.hub() as hub:
        found = tried(
            hub.store,
            since=hub.now() - timedelta(days=days),
            care="normal" if care is StoryCare.NORMAL else "careful",
            most=limit,
        )
        timezone = hub.settings.site.timezone
    if as_json:
        session.screen.json(_trial_json(found))
    else:
        _print_trial(session.screen, found, timezone, days)


def _print_trial(screen: Screen, found: StoriesTrial, timezone: str, days: int) -> None:
    """Print counts, the largest stories with the reason of each member, and what was nearly joined."""
    screen.print(f"placed {count(found.items, 'stored item')} of {days} days; nothing was changed", style="bold")
    screen.print(
        f"{count(found.reprints, 'reprint')}, {count(found.grouped, 'item')} in "
        f"{found.stories} {'story' if found.stories == 1 else 'stories'}, "
        f"{count(found.digests, 'digest')} left out"
    )
    for line in _group_lines(found.largest, timezone):
        screen.print(line)
    if found.misses:
        screen.print()
        screen.print("nearly joined:")
    for miss in found.misses:
        for line in (story_line(miss.one, timezone), story_line(miss.other, timezone), f"  {miss.reason}"):
            screen.print(f"  {line}")


def _group_lines(groups: Sequence[StoryGroup], timezone: str) -> Iterator[str]:
    for group in groups:
        first, *others = group.members
        yield ""
        yield f"{len(group.members)} reports: {story_line(first, timezone)}"
        for member in others:
            yield from _member_lines(member, timezone)


def _member_lines(member: StoryMember, timezone: str) -> Iterator[str]:
    """Yield what is told of an item of a story: how it belongs there, and why."""
    yield f"  {member.how or 'joined by a later one'}: {story_line(member, timezone)}"
    if member.reason:
        yield f"    {member.reason}"


def story_line(member: StoryMember, timezone: str) -> str:
    """Return the title of an item, when it was published, and by whom."""
    return f"“{member.title or '(no title)'}”  {local_time(member.published_at, timezone)}  {member.source}"


def _trial_json(found: StoriesTrial) -> dict[str, object]:
    """Return what ``stories test --json`` prints."""
    facts = asdict(found)
    members = [member for story in facts["largest"] for member in story["members"]]
    for member in (*members, *(miss[side] for miss in facts["misses"] for side in ("one", "other"))):
        member["published_at"] = member["published_at"].isoformat()
    return facts
