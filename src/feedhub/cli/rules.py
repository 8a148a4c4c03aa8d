"""``feedhub rules test``: what rules would make of what is stored, before they are in force."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from feedhub.cli.main import JsonOption, Session, command
from feedhub.errors import UsageError

if TYPE_CHECKING:
    from feedhub.cli.screen import Screen
    from feedhub.model.trial import RulesTrial, RuleTrial

app: Final = typer.Typer(rich_markup_mode=None, help="Try rules before they are in force.", no_args_is_help=True)


@app.command("test", epilog="Example: feedhub rules test new-rules.yaml --since 30d")
@command()
def try_rules(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", show_default=False, help="Its rules stand in for those of the configuration."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE", show_default=False, help="Only items met in that time: 30d.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="NAME", show_default=False, help="Only this rule, with more examples."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what rules would drop, file, tag and replace.

    The rules on disk are tried on what is stored, beside what is published now; nothing is changed. Counts are of what
    sources said of items; `new` are those that would be published otherwise. The daemon puts saved rules in force by
    itself, so try them in a file of their own, or with --set.
    """
    from feedhub.runtime.rules_trial import try_rules as tried

    age = _age(since)
    with session.hub(rules_file=file) as hub:
        found = tried(hub.store, hub.settings, since=None if age is None else hub.now() - age, rule=rule)
        timezone = hub.settings.site.timezone
    if as_json:
        session.screen.json(trial_json(found))
    else:
        print_trial(session.screen, found, timezone, since)


def _age(text: str | None) -> timedelta | None:
    from feedhub.config.forms import parse_duration

    if text is None:
        return None
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--since {text}: {error}") from error


def print_trial(screen: "Screen", found: "RulesTrial", timezone: str, since: str | None) -> None:
    """Print a summary, a row for each rule with examples under it, and what is odd about rules."""
    from feedhub.cli.screen import Row, count

    met = f" met in the last {since}" if since else ""
    screen.print(f"tried on {count(found.items, 'stored item')}{met}; nothing was changed", style="bold")
    changes = [(found.leave, "leave all outputs"), (found.back, "come back"), (found.otherwise, "be shown otherwise")]
    screen.print("of what is published now " + ", ".join(f"{number} would {what}" for number, what in changes))
    if found.rules:
        screen.print()
        titles = ("rule", "holds", "drops", "files", "edits", "new")
        rows = [
            Row(cells=(one.name, *map(str, (one.holds, one.drops, one.files, one.edits, one.new))))
            for one in found.rules
        ]
        screen.table(titles, rows, numbers=frozenset({1, 2, 3, 4, 5}))
    for one in found.rules:
        for line in _example_lines(one, timezone):
            screen.print(line)
    for line in oddities(found):
        screen.print(line, style="yellow")


def _example_lines(one: "RuleTrial", timezone: str) -> Iterator[str]:
    from feedhub.cli.screen import local_time

    if one.examples:
        yield ""
        yield f"{one.name}:"
    for example in one.examples:
        mark = "new" if example.is_new else "   "
        at = local_time(example.published_at, timezone)
        yield f"  {mark}  {example.does}: “{example.title or '(no title)'}”  {at}  {example.source}"


def oddities(found: "RulesTrial") -> Iterator[str]:
    """Yield what is to be said of rules that match nothing or that others hide, and of what rules cannot reach."""
    from feedhub.cli.screen import count

    for rule, number in found.returning:
        yield f"comes back: {count(number, 'report')} that the rule “{rule}” drops now"
    for one in found.rules:
        hiding = ", ".join(f"“{rule}” ({number})" for rule, number in one.hidden_by)
        if one.holds:
            continue
        if hiding:
            yield f"never reached: “{one.name}” would hold, but rules before it end there: {hiding}"
        else:
            yield f"matches nothing: “{one.name}”"
    if found.final:
        yield (
            f"{count(found.final, 'report')} of a version before: of these only what its rules made is stored, so that "
            "replacing waits until their sources offer them again"
        )


def trial_json(found: "RulesTrial") -> dict[str, Any]:
    """Return what ``rules test --json`` prints."""
    facts = asdict(found)
    facts["returning"] = dict(found.returning)
    for one in facts["rules"]:
        one["hidden_by"] = dict(one["hidden_by"])
        for example in one["examples"]:
            example["published_at"] = example["published_at"].isoformat()
    return facts
