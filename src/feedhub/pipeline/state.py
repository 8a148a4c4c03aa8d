"""One publish: what it writes gets its place together, and what an output folder remembers of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from feedhub.errors import PublishError
from feedhub.model.output import OutputChoice, OutputFile, PublishReason
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.pipeline.writing import ReportingWriter, paths_of
from feedhub.ports.publishing import STATE, OutputFolder, OutputGroup
from feedhub.ports.store import Store

MANIFEST: Final = "feedhub.json"
_OF_SCHEMA_8: Final = (".feedhub/look", ".feedhub/unremoved.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What an output folder remembers of what is published in it. Of what it does not know everything is compared.

    It follows the store of the ``branch`` to which the change ``as_of`` belongs. Everything is published up to the
    change ``number``, but for ``outputs`` that are up to another one. ``settings`` is the digest of what all files
    depend on in the configuration, ``design`` that of the pages, "" where there are none. ``unremoved`` are paths that
    are still to be removed. ``digests`` says of each category up to the end of which day its digest is published.
    """

    branch: str = ""
    as_of: int = -1
    number: int = -1
    outputs: Mapping[str, int] = field(default_factory=dict)
    posts: int = 0
    health: int = -1
    settings: str = ""
    design: str = ""
    unremoved: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    def published(self, slug: str) -> int:
        """Return the change up to which an output is published."""
        return self.outputs.get(slug, self.number)

    def renewed(self, settings: str) -> "FolderState":
        """Return the state of the folder once everything in it is to be compared."""
        return FolderState(settings=settings, design=self.design, unremoved=self.unremoved, digests=self.digests)


def written_state(state: FolderState) -> OutputFile:
    """Return the file in which a folder remembers its state."""
    maps = {"outputs": dict(state.outputs), "digests": dict(state.digests)}
    facts = {**asdict(replace(state, outputs={}, digests={})), **maps}
    return OutputFile(path=STATE, body=json.dumps(facts, indent=0, sort_keys=True).encode())


def read_state(body: bytes | None) -> FolderState | None:
    """Return what ``written_state`` wrote; None where there is nothing, or what is no state."""
    try:
        told: dict[str, Any] = json.loads(body or b"null")
        return FolderState(
            branch=str(told["branch"]),
            as_of=int(told["as_of"]),
            number=int(told["number"]),
            posts=int(told["posts"]),
            health=int(told["health"]),
            settings=str(told["settings"]),
            design=str(told["design"]),
            outputs={str(slug): int(number) for slug, number in told["outputs"].items()},
            unremoved=tuple(paths_of(told["unremoved"])),
            digests={slug: str(told["digests"][slug]) for slug in paths_of([*told["digests"]])},
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


@dataclass(slots=True, kw_only=True)
class Publishing:
    """One publish into a folder, of the store as it is after the change ``number``.

    ``state`` is what the folder remembers from before, and ``renewal`` why everything in it is compared.
    """

    store: Store
    settings: Settings
    group: OutputGroup
    number: int
    state: FolderState
    renewal: PublishReason | None
    choices: tuple[OutputChoice, ...] = ()
    report: PublishReport = field(default_factory=PublishReport)
    """What happened, once it has ended."""
    _steps: "list[tuple[ReportingWriter, Callable[[FolderState], FolderState]]]" = field(default_factory=list)

    def step(self, writer: ReportingWriter, settle: Callable[[FolderState], FolderState]) -> None:
        """Add what one step wrote; ``settle`` is called when all has its place, and returns what is remembered then."""
        self._steps.append((writer, settle))

    def fail(self, output: str, reason: str) -> None:
        """Report that something could not be published."""
        self._steps.append((ReportingWriter(self.group, failed={output: reason}), lambda state: state))

    def finish(self, before: FolderState | None, branch: str) -> None:
        """Give everything its place, and then remember that."""
        failures = self.group.commit()
        state = self.state
        for writer, settle in self._steps:
            writer.take_up(failures)
            state = settle(state)
        state = replace(state, branch=branch, as_of=self.number)
        failed: tuple[tuple[str, str], ...] = ()
        if state != before:
            try:
                self.group.write(written_state(state))
                failed = tuple(self.group.commit().items())
            except PublishError as error:
                failed = ((STATE, str(error)),)
        done = [writer.report() for writer, _ in self._steps]
        self.report = PublishReport(
            written=tuple(path for each in done for path in each.written),
            unchanged=sum(each.unchanged for each in done),
            removed=tuple(path for each in done for path in each.removed),
            failed=(*(failure for each in done for failure in each.failed), *failed),
            choices=self.choices,
        )


@contextmanager
def publishing(store: Store, settings: Settings, folder: OutputFolder) -> Iterator[Publishing]:
    """Publish in this block; at its end all gets its place, and the folder remembers it.

    Raises:
        FolderInUseError: another process publishes into the folder.
    """
    with folder.group() as group:
        before = read_state(group.read(STATE))
        with store.snapshot():
            number = store.change_number()
            branch = store.branch_of(number)
            state = before or _taken_over(store, group)
            known, renewal = _state_for(store, settings, state)
            run = Publishing(store=store, settings=settings, group=group, number=number, state=known, renewal=renewal)
            yield run
        run.finish(before, branch)
    if before is None:
        store.forget_folder_before()


def _state_for(store: Store, settings: Settings, state: FolderState | None) -> tuple[FolderState, PublishReason | None]:
    """Return what can be relied on of a state, and why that is nothing."""
    digest = settings.output_digest
    if state is None:
        return FolderState(settings=digest), PublishReason.FIRST
    if state.as_of > store.change_number() or store.branch_of(state.as_of) != state.branch:
        return state.renewed(digest), PublishReason.STORE
    if state.settings != digest:
        return state.renewed(digest), PublishReason.SETTINGS
    return state, None


def _taken_over(store: Store, group: OutputGroup) -> FolderState | None:
    """Return the state of a folder of which a store of schema 8 knew it; None for another one."""
    known = store.folder_before()
    if known is None or group.read(MANIFEST) is None:
        return None
    design, unremoved = (group.read(path) for path in _OF_SCHEMA_8)
    for path in _OF_SCHEMA_8:
        group.remove(path)
    try:
        leftovers = paths_of(json.loads(unremoved or b"[]"))
    except (ValueError, RecursionError):
        leftovers = []
    number = store.change_number()
    return FolderState(
        branch=store.branch_of(number),
        as_of=number,
        number=known.number,
        posts=known.posts,
        health=known.health,
        settings=known.settings,
        design=(design or b"").decode("utf-8", "replace"),
        unremoved=tuple(leftovers),
    )
