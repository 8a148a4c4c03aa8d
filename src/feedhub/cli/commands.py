"""The table of all commands; those that set up, poll, publish and look at sources. Each imports what it needs late."""

import shlex
from collections.abc import Iterator
from itertools import count as counted
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli import cluster, daemon, sources, stored, stories
from feedhub.cli.main import (
    MISUSED,
    ConfigOption,
    JsonOption,
    NoPublishOption,
    QuietOption,
    Session,
    SetOption,
    VerboseOption,
    command,
    complete_categories,
    complete_sources,
    naming,
)
from feedhub.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from feedhub.config.opml import OpmlImport
    from feedhub.model.settings import Problem, Settings


def _write_new(path: Path, content: bytes) -> bool:
    """Write a file and the folders above it; return False, and write nothing, when something is there already.

    Raises:
        UsageError: no permission, no room, or a file where a folder is needed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        if path.parent.is_dir():
            return False
        raise UsageError(f"{error.filename} is a file where a folder is needed") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return True


@command(has_config=False)
def init(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="DIR", show_default=False, help="Where; default: here.")] = ".",
) -> None:
    """Write a commented configuration to start from.

    Never overwrites. Also writes its JSON Schema and the output folder."""
    from feedhub.cli.screen import own_command
    from feedhub.config.reference import starter_files
    from feedhub.config.schema_sources import usable_kinds
    from feedhub.runtime.plugins import output_formats, source_kinds

    root = Path(folder)
    for name, content in starter_files(usable_kinds(source_kinds()), output_formats()).items():
        path = root / name
        written = _write_new(path, content if isinstance(content, bytes) else content.encode())
        session.screen.print(f"wrote {path}" if written else f"left alone, it is there already: {path}")
    config = "" if root == Path() else f" -c {shlex.quote(str(root / 'config' / 'feedhub.yaml'))}"
    session.screen.print(f"next: {own_command()} check{config}")


@command()
def check(
    session: Session,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 also when there are only warnings.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration.

    Prints every problem with its place. Exit 2 if there is any. Warnings tell what is probably not meant."""
    from dataclasses import asdict

    from feedhub.cli.screen import count

    summary = ""
    warnings: tuple[Problem, ...] = ()
    try:
        settings = session.settings()
    except ConfigError as error:
        problems = error.problems
    else:
        problems, warnings = settings.problems, settings.warnings
        summary = ", ".join(
            (
                count(len(settings.sources), "source"),
                count(len(settings.categories), "category", "categories"),
                count(len(settings.rules), "rule"),
            )
        )
    if as_json:
        session.screen.json([asdict(problem) for problem in (*problems, *warnings)])
    else:
        for line in (*problems, *warnings, *([] if problems else [f"ok: {summary}"])):
            session.screen.print(str(line))
    if problems or (strict and warnings):
        raise typer.Exit(MISUSED)


@command(has_config=False)
def schema(session: Session) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from feedhub.config.reference import json_schema_text
    from feedhub.config.schema_sources import usable_kinds
    from feedhub.runtime.plugins import output_formats, source_kinds

    kinds, formats = usable_kinds(source_kinds()), output_formats()
    session.screen.document(json_schema_text(kinds, formats))
    for noun, table in (("kind", kinds), ("format", formats)):
        for name, reason in table.broken:
            session.screen.print_err(f"left out: {noun} {name}, whose plugin {reason}")


@command()
def import_opml(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE.opml", help="Subscriptions of a feed reader.")],
) -> None:
    """Turn the OPML subscriptions of a feed reader into sources.

    Writes `sources/NAME.yaml` beside the configuration; never overwrites. Folders become
    categories. What is skipped or configured already is said.
    """
    from feedhub.cli.screen import own_command
    from feedhub.config.opml import read_opml, without_configured

    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    offered, settings = read_opml(data), session.settings()
    new = without_configured(offered, settings)
    path = _write_sources(new, settings, Path(file).stem) if new.subscriptions else None
    for line in _import_lines(new, path):
        session.screen.print(line)
    if path and str(path) not in session.settings().files:
        session.screen.print(f'add this line to {settings.files[0]}: "include: [sources/*.yaml]"')
    elif path:
        session.screen.print(f"next: {own_command()} poll")


def _write_sources(new: "OpmlImport", settings: "Settings", wanted_name: str) -> Path:
    """Write subscriptions to ``sources/NAME.yaml`` beside the configuration, under the first name that is free."""
    from feedhub.config.opml import sources_yaml
    from feedhub.rules.categorize import category_slug

    folder = Path(settings.files[0]).parent / "sources"
    name = category_slug(wanted_name) or "subscriptions"
    taken = [source.name for source in settings.sources]
    content = sources_yaml(new.subscriptions, taken, settings.categories).encode()
    names = (name if number == 1 else f"{name}-{number}" for number in counted(1))
    return next(path for each in names if _write_new(path := folder / f"{each}.yaml", content))


def _import_lines(new: "OpmlImport", path: Path | None) -> Iterator[str]:
    from feedhub.cli.screen import count

    categories = {category for each in new.subscriptions for category in each.categories}
    if path:
        sources = count(len(new.subscriptions), "source")
        yield f"wrote {path}: {sources} in {count(len(categories), 'category', 'categories')}"
    else:
        yield "nothing new to import"
    for word, left_out in (("skipped", new.skipped), ("repeated", new.repeats)):
        for each in left_out:
            yield f"{word}: {' '.join(part for part in (each.title, each.url) if part)}: {each.reason}"


@command()
def export(
    session: Session,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", show_default=False, help="Write here, not to stdout."),
    ] = None,
) -> None:
    """Print the sources as OPML for other feed readers.

    Categories become folders. Titles and pages of sources are those that polls have found."""
    from feedhub.config.opml import subscriptions_opml

    with session.hub() as hub:
        opml = subscriptions_opml(hub.settings, hub.states())
    if output is None:
        session.screen.document(opml.decode())
        return
    try:
        Path(output).write_bytes(opml)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    session.screen.print_err(f"wrote {output}")


@command(has_config=False)
def demo(
    session: Session,
    folder: Annotated[
        str | None,
        typer.Option("--dir", metavar="DIR", show_default=False, help="An empty folder; default: a temporary one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the real pipeline offline, and say which feeds to open.

    Six invented sources are served from this machine and polled twice. The folder is kept.
    """
    from feedhub.cli.demo import run_demo

    run_demo(session.screen, folder, as_json=as_json)


@command()
def poll(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Poll these sources, due or not.", autocompletion=complete_sources),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Poll every source, due or not.")] = False,
    no_publish: NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Poll what is due, store it, and publish what changed. Exit 1 if any source or output failed."""
    if names and everything:
        raise UsageError("give names of sources or --all, not both")
    from feedhub.cli.views import is_complete, print_run, run_json, step_words

    with session.hub(makes_store=True) as hub, session.screen.progress("polling") as progress:
        run = hub.poll(
            names or (),
            everything=everything,
            and_publish=not no_publish,
            on_start=progress.begin,
            on_report=lambda report: progress.step(step_words(report)),
        )
    if as_json:
        session.screen.json(run_json(run))
    else:
        print_run(session.screen, run, hub.now(), hub.settings.site.timezone)
    if not is_complete(run):
        raise typer.Exit(1)


@command()
def publish(
    session: Session,
    categories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CATEGORY", help="Only these categories (slugs), or `all`.", autocompletion=complete_categories
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rebuild outputs from the store, without network. Exit 1 if any output failed."""
    from feedhub.cli.views import print_published, published_json

    with session.hub() as hub:
        report = hub.publish(categories or ())
    if as_json:
        session.screen.json(published_json(report))
    else:
        print_published(session.screen, report)
    if report.failed:
        raise typer.Exit(1)


@command()
def status(session: Session, as_json: JsonOption = False) -> None:
    """Show the health of every source and category.

    Starts no poll."""
    from feedhub.cli.views import print_status
    from feedhub.runtime.status import status_json

    with session.hub() as hub:
        found = hub.status()
    settings = hub.settings
    places = {"configuration": settings.files[0], "store": settings.store, "output": settings.output.dir}
    if as_json:
        session.screen.json({**status_json(found), "places": {**places, "has_store": not found.no_store}})
    else:
        print_status(session.screen, found, hub.now(), settings.site.timezone)
        session.screen.print()
        for name, place in places.items():
            session.screen.print(f"{name:<13}  {place}")


@command()
def preview(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME|URL", help="A configured source, or any address.", autocompletion=complete_sources
        ),
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Items to show.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show what a source would give; nothing is stored."""
    from feedhub.cli.views import preview_json, print_preview

    with session.hub() as hub, naming(target):
        found = hub.preview(target, limit)
    if as_json:
        session.screen.json(preview_json(found))
    else:
        print_preview(session.screen, found, hub.settings.site.timezone)


@command()
def discover(
    session: Session,
    url: Annotated[str, typer.Argument(metavar="URL", help="A web page.")],
    as_json: JsonOption = False,
) -> None:
    """List the feeds that a page offers, as YAML to paste.

    The lines go under `sources:`. Exit 1 when there is none."""
    from feedhub.cli.views import discovered_json, discovered_yaml

    with session.hub() as hub, naming(url):
        found = hub.discover(url)
    if as_json:
        session.screen.json(discovered_json(found))
    elif found:
        session.screen.document(discovered_yaml(found, taken={source.name for source in hub.settings.sources}))
    if not found:
        session.screen.print_err(f"feedhub: {url} offers no feed")
        raise typer.Exit(1)


# Name, function and example, in the order a new user needs them.
_COMMANDS: Final = (
    ("init", init, "feedhub init news"),
    ("check", check, "feedhub check -c news/config/feedhub.yaml"),
    ("schema", schema, "feedhub schema > config/feedhub.schema.json"),
    ("demo", demo, "feedhub demo --dir try-it"),
    ("poll", poll, "feedhub poll --all --set poll.timeout=10s"),
    ("run", daemon.run, "feedhub run --log json"),
    ("serve", daemon.serve, "feedhub serve --port 8000"),
    ("health", daemon.health, "feedhub health && echo it lives"),
    ("apply", cluster.apply, "feedhub apply -c config/feedhub.yaml"),
    ("worker", cluster.worker, "feedhub worker --concurrency 64"),
    ("workers", cluster.workers, "feedhub workers --json"),
    ("edge", cluster.edge, "feedhub edge --output /srv/feeds --port 8000"),
    ("publish", publish, "feedhub publish economy"),
    ("status", status, "feedhub status --json"),
    ("preview", preview, "feedhub preview https://example.org/feed.xml --limit 3"),
    ("explain", stored.explain, "feedhub explain https://example.org/news/1.html"),
    ("add", sources.add, "feedhub add example.org --category tech"),
    ("list", sources.list_sources, "feedhub list --category tech"),
    ("rename", sources.rename, "feedhub rename wire agency"),
    ("pause", sources.pause, "feedhub pause wire"),
    ("resume", sources.resume, "feedhub resume wire"),
    ("remove", sources.remove, "feedhub remove wire --purge"),
    ("discover", discover, "feedhub discover https://example.org/"),
    ("import", import_opml, "feedhub import subscriptions.opml"),
    ("export", export, "feedhub export -o subscriptions.opml"),
    ("log", stored.log, "feedhub log --kind dropped --since 7d"),
    ("search", stored.search, "feedhub search 芯片 --limit 5"),
    ("hide", stored.hide, "feedhub hide https://example.org/news/1.html --reason 'asked by its author'"),
    ("unhide", stored.unhide, "feedhub unhide https://example.org/news/1.html"),
    ("forget", stored.forget, "feedhub forget wire"),
    ("prune", stored.prune, "feedhub prune --set retention.days=30"),
    ("backup", stored.backup, "feedhub backup feedhub-monday.db"),
    ("restore", stored.restore, "feedhub restore feedhub-monday.db"),
    ("migrate-store", stored.migrate_store, "feedhub migrate-store sqlite:///var/feedhub.db $STORE"),
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"feedhub {version('feedhub')}")
        raise typer.Exit


def _globals(
    ctx: typer.Context,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Poll many feeds, recognise every item once, and publish clean feeds per category."""
    session: Session = ctx.ensure_object(Session)
    session.add_options(config, overrides, verbose, quiet)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(MISUSED)


def _built() -> typer.Typer:
    # Plain help: a third of the time to the first line, and nothing but text in a pipe.
    built = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    built.callback(epilog="Example: feedhub demo", invoke_without_command=True)(_globals)
    for name, function, example in _COMMANDS:
        built.command(name, epilog=f"Example: {example}")(function)
    built.add_typer(stored.rules, name="rules")
    built.add_typer(stories.stories, name="stories")
    built.add_typer(daemon.notify, name="notify")
    return built


app = _built()
