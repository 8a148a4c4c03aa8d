"""The commands that change which sources there are: they edit the files of the configuration in place."""

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli.main import (
    JsonOption,
    NoPublishOption,
    Session,
    command,
    complete_categories,
    complete_sources,
    naming,
)
from feedhub.errors import PollError, UsageError

if TYPE_CHECKING:
    from feedhub.config.editing import ConfigEditor
    from feedhub.config.reading import LimitedReader
    from feedhub.model.report import Preview
    from feedhub.model.settings import Settings
    from feedhub.model.source import Source
    from feedhub.runtime.adding import Found

_ITEMS_SHOWN: Final = 3

_NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a configured source.", autocompletion=complete_sources)
]


@command()
def add(
    session: Session,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A page, a host, a feed or a JSON API.")],
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            metavar="CATEGORY",
            show_default=False,
            help="Slug or title; repeat.",
            autocompletion=complete_categories,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", show_default=False, help="Default: by its title.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the feed at an address and add it.

    It goes into the configuration. Of a page, its feed is taken. For an API that answers in JSON, and for a page that
    only lists links, paths are guessed: look at what is shown, and change the lines by hand if they are not right.
    Nothing else in the file changes. Exit 1 when nothing was found.
    """
    from feedhub.runtime.adding import SourceFinder
    from feedhub.runtime.hub import utc_now

    settings = session.settings()
    with SourceFinder(settings, utc_now) as finder, naming(address):
        found = finder.find(address)
        entry, editor = _entry(session, settings, found, name, category or ())
        file = editor.add_source(entry)
        changed = editor.checked(lambda reader: _loaded(session, reader))
        source = next((one for one in changed.sources if one.name == entry["name"]), None)
        if source is None or source.broken:
            raise UsageError(source.broken if source and source.broken else f"{file} would not hold the new source")
        preview = finder.preview(source, changed, _ITEMS_SHOWN)
    if found.draft is not None and not preview.items:
        raise PollError(f"{address} offers no feed, and no items were found by guessing")
    if not dry_run:
        editor.write()
    _tell(session, entry, file, found, preview, is_dry=dry_run, as_json=as_json)


def _entry(
    session: Session, settings: "Settings", found: "Found", name: str, categories: "list[str] | tuple[()]"
) -> "tuple[dict[str, object], ConfigEditor]":
    """Return the entry of a new source as it is to be written, and the files to write it to.

    Raises:
        UsageError: it is configured already, the name is taken, or its address holds a credential.
    """
    from feedhub.config.editing import without_credentials
    from feedhub.config.files import escaped
    from feedhub.rules.urls import comparable_url
    from feedhub.runtime.adding import source_name

    for one in settings.sources:
        if comparable_url(one.url) == comparable_url(found.url):
            raise UsageError(f"{one.name} has this address already")
    taken = frozenset(one.name for one in settings.sources)
    if name in taken:
        raise UsageError(f"there is a source {name} already; choose another name with --name")
    name = name or source_name(found, taken)
    url, secrets = without_credentials(found.url, name)
    unset = {variable: value for variable, value in secrets.items() if os.environ.get(variable) != value}
    if unset:
        raise UsageError(
            f"the address holds a credential, which is not written to a file: put it into the environment of feedhub "
            f"as {' and '.join(unset)}, here and where the daemon runs, and run this again"
        )
    entry: dict[str, object] = {"name": name, "url": url}
    if found.draft is not None:
        if found.title:
            entry["title"] = escaped(found.title)
        entry["kind"] = found.draft.kind
        entry |= {"items": escaped(found.draft.items)} if found.draft.items else {}
        entry["fields"] = {key: _escaped(paths) for key, paths in found.draft.fields.items()}
    if categories:
        entry["category"] = escaped(categories[0]) if len(categories) == 1 else [escaped(one) for one in categories]
    return entry, _editor(session)


def _escaped(value: object) -> object:
    from feedhub.config.files import escaped

    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    return {key: _escaped(part) for key, part in value.items()} if isinstance(value, dict) else value


def _loaded(session: Session, reader: "LimitedReader") -> "Settings":
    from feedhub.runtime.plugins import load_settings

    settings = load_settings(session.options.config, session.options.overrides, reader=reader)
    session.masked.hide(settings.secrets)
    return settings


def _tell(
    session: Session,
    entry: dict[str, object],
    file: str,
    found: "Found",
    preview: "Preview",
    *,
    is_dry: bool,
    as_json: bool,
) -> None:
    from feedhub.cli.screen import count, own_command
    from feedhub.cli.views import preview_json
    from feedhub.config.yaml_edit import as_yaml

    if as_json:
        session.screen.json({"source": entry, "file": None if is_dry else file, "preview": preview_json(preview)})
        return
    session.screen.print(f"{'would be added to' if is_dry else 'added to'} {file}:")
    for line in as_yaml([entry]).splitlines():
        session.screen.print(f"  {line}")
    session.screen.print()
    for _, item in preview.items:
        session.screen.print(f"  {item.title or '(no title)'}")
        session.screen.print(f"    {item.link or '(no link)'}")
    if not preview.items:
        session.screen.print("  it holds no items now")
    if found.draft is not None and "link" not in found.draft.fields:
        session.screen.print('no path gives an address: add one, such as  link: {template: "https://example.org/{id}"}')
    if found.draft is not None:
        session.screen.print("these paths are guessed: change the lines by hand where they are not right")
    if found.others:
        session.screen.print(f"the page offers {count(len(found.others), 'more feed')}:")
        for feed in found.others[:5]:
            session.screen.print(f"  {feed.url}  {feed.title}".rstrip())
    config = f" -c {session.options.config}" if session.options.config else ""
    if not is_dry:
        session.screen.print(f"next: {own_command()} poll {entry['name']}{config}")


@command()
def list_sources(
    session: Session,
    category: Annotated[
        str, typer.Option("--category", metavar="CATEGORY", show_default=False, help="Only of this one; slug or title.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the sources and where each is written.

    How they are is told by `feedhub status`."""
    settings = session.settings()
    slugs = {one.title: one.slug for one in settings.categories} | {one.slug: one.slug for one in settings.categories}
    if category and category not in slugs:
        raise UsageError(f'no category "{category}"; there are: {", ".join(one.slug for one in settings.categories)}')
    found = [one for one in settings.sources if not category or slugs[category] in one.categories]
    if as_json:
        session.screen.json([_source_json(one) for one in found])
        return
    from feedhub.cli.screen import Row

    rows = [Row(cells=(one.name, ", ".join(one.categories), _state_of(one), one.url, one.place)) for one in found]
    session.screen.table(("source", "categories", "", "address", "written in"), rows)


def _state_of(source: "Source") -> str:
    return "paused" if source.paused else "broken" if source.broken else ""


def _source_json(source: "Source") -> dict[str, object]:
    return {
        "name": source.name,
        "title": source.title,
        "url": source.url,
        "kind": source.kind,
        "categories": source.categories,
        "paused": source.paused,
        "place": source.place,
    }


@command()
def rename(
    session: Session,
    name: _NameArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="What it is called from now on.")],
) -> None:
    """Give a source another name.

    Its items, guids and history stay its own. Rules that ask for it by name are changed, too. A running daemon takes
    it up by itself.
    """
    settings = session.settings()
    _source(session, name)
    if new_name in {one.name for one in settings.sources}:
        raise UsageError(f"there is a source {new_name} already")
    editor = _editor(session)
    files = editor.rename_source(name, new_name)
    editor.checked(lambda reader: _loaded(session, reader))
    with session.hub() as hub:
        stored = {state.name for state in hub.states()}
    if new_name in stored and name in stored:
        raise UsageError(f"the store knows an earlier source {new_name}; choose another name")
    editor.write()
    if name in stored:
        with session.hub() as hub:
            hub.sync_categories()
    session.screen.print(f"renamed: {name} to {new_name} (in {', '.join(files)})")


@command()
def pause(session: Session, name: _NameArgument) -> None:
    """Stop polling a source; its items stay."""
    _set_paused(session, name, is_paused=True)


@command()
def resume(session: Session, name: _NameArgument) -> None:
    """Poll a paused source again."""
    _set_paused(session, name, is_paused=False)


def _set_paused(session: Session, name: str, *, is_paused: bool) -> None:
    source = _source(session, name)
    if source.paused is is_paused:
        raise UsageError(f"{name} is {'paused already' if is_paused else 'not paused'}")
    editor = _editor(session)
    file = editor.pause_source(name, is_paused=is_paused)
    editor.checked(lambda reader: _loaded(session, reader))
    editor.write()
    session.screen.print(f"{'paused' if is_paused else 'polled again'}: {name} (in {file})")


@command()
def remove(
    session: Session,
    name: _NameArgument,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also delete for good what it said of its items, as `forget` does.")
    ] = False,
    no_publish: NoPublishOption = False,
) -> None:
    """Take a source out of the configuration.

    Its items stay as long as retention says, unless --purge is given; then outputs are published without them.
    """
    from feedhub.cli.screen import count
    from feedhub.cli.views import print_published

    _source(session, name)
    editor = _editor(session)
    file = editor.remove_source(name)
    editor.checked(lambda reader: _loaded(session, reader))
    editor.write()
    session.screen.print(f"removed: {name} (from {file})")
    if not purge:
        return
    with session.hub() as hub:
        known = name in {state.name for state in hub.states()}
        session.screen.print(f"forgotten: what it said of {count(hub.forget(name) if known else 0, 'item')}")
        if no_publish or not known:
            return
        hub.sync()
        report = hub.publish_due()
    print_published(session.screen, report)
    if report.failed:
        raise typer.Exit(1)


def _editor(session: Session) -> "ConfigEditor":
    from feedhub.config.editing import ConfigEditor

    return ConfigEditor(session.options.config)


def _source(session: Session, name: str) -> "Source":
    from feedhub.rules.text import or_nearest

    settings = session.settings()
    found = next((one for one in settings.sources if one.name == name), None)
    if found is None:
        raise UsageError(f'no source "{name}"' + or_nearest(name, [one.name for one in settings.sources]))
    return found
