"""What other packages add through entry points: kinds of sources, formats of outputs, signers of requests."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeVar, cast

from feedhub.config.kept import kept_or_loaded
from feedhub.config.reading import LimitedReader
from feedhub.errors import ParseError, PollError
from feedhub.model.document import Request
from feedhub.model.kind import KindTable, SourceKind
from feedhub.model.output import FormatTable, OutputFormat
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.publish.formats import FORMATS, format_fault
from feedhub.sources.kinds import KINDS

SOURCES: Final = "feedhub.sources"
PUBLISHERS: Final = "feedhub.publishers"
SIGNERS: Final = "feedhub.signers"

_Declared = TypeVar("_Declared", SourceKind, OutputFormat)

Signer = Callable[[Request, Source], Request]
"""Returns the request with what a signed API wants: parameters, headers, a body. Must not do any I/O."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """One group of entry points. ``loaded`` holds the objects by name, ``broken`` why a plugin cannot be used.

    ``names`` are all that installed packages offer in the group, sorted, whether they were loaded or not.
    """

    loaded: Mapping[str, object] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def load_plugins(group: str, wanted: Collection[str] | None = None) -> Plugins:
    """Load the ``wanted`` plugins of a group of entry points, or all of them. Never raises.

    Reading what is installed takes about 10 ms, so call it only where a name is not a built-in one. Of two packages
    that offer one name, the first on the path counts, as with modules.
    """
    from importlib.metadata import entry_points

    points = {point.name: point for point in reversed(tuple(entry_points(group=group)))}
    loaded: dict[str, object] = {}
    broken: dict[str, str] = {}
    for name, point in points.items():
        if wanted is None or name in wanted:
            try:
                loaded[name] = point.load()
            except Exception as exc:  # noqa: BLE001 - whatever a plugin breaks with is told by its name
                broken[name] = f"{point.value} cannot be loaded: {type(exc).__name__}: {exc}"
    return Plugins(loaded=loaded, broken=broken, names=tuple(sorted(points)))


def source_kinds(named: Collection[str] | None = None) -> KindTable:
    """Return the kinds that sources may be of: the built-in ones and, if others are ``named``, all that are installed.

    Without ``named``, all. A plugin that declares no kind of its name is broken.
    """
    built_in = {kind.name for kind in KINDS.kinds}
    if named is not None and built_in.issuperset(named):
        return KINDS
    kinds, broken = _declared(SOURCES, SourceKind, "kind", built_in)
    return KindTable(kinds=(*KINDS.kinds, *kinds), broken=broken)


def output_formats(named: Collection[str] | None = None) -> FormatTable:
    """Return the formats that outputs may have: the built-in ones and, if others are ``named``, all that are installed.

    Without ``named``, all. A plugin that declares no format of its name is broken.
    """
    built_in = {one.name for one in FORMATS.formats}
    if named is not None and built_in.issuperset(named):
        return FORMATS
    formats, broken = _declared(PUBLISHERS, OutputFormat, "format", built_in)
    faults = {one.name: fault for one in formats if (fault := format_fault(one))}
    usable = (one for one in formats if one.name not in faults)
    return FormatTable(formats=(*FORMATS.formats, *usable), broken=tuple(sorted({**dict(broken), **faults}.items())))


@lru_cache(maxsize=8)
def added_formats(names: tuple[str, ...]) -> tuple[OutputFormat, ...]:
    """Return those of the named formats that other packages add."""
    return tuple(one for one in output_formats(names).formats if one.name in names and one not in FORMATS.formats)


def _declared(
    group: str, declared: type[_Declared], noun: str, built_in: Collection[str]
) -> tuple[list[_Declared], tuple[tuple[str, str], ...]]:
    """Return what the plugins of a group declare, by name, and why others cannot be used."""
    plugins = load_plugins(group)
    found, broken = [], dict(plugins.broken)
    for name, one in sorted(plugins.loaded.items()):
        if isinstance(one, declared) and one.name == name and name not in built_in:
            found.append(one)
        else:
            broken[name] = f"offers something else than a {noun} of the name {name}"
    return found, tuple(sorted(broken.items()))


def load_settings(
    path: str | None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    cwd: str | None = None,
    *,
    rules_file: str | None = None,
    makes_folder: bool = False,
    reader: LimitedReader | None = None,
) -> Settings:
    """Return what the configuration says, with the kinds and formats that are installed; see ``config/load.py``.

    It is kept and not read anew (``config/kept.py``), unless plugins have a say: what they say may change unnoticed.
    ``makes_folder``: for a store that is about to be made. With a ``reader`` it is read anew, by that one.

    Raises:
        ConfigError: with every problem of every file.
    """
    of_plugins: list[KindTable | FormatTable] = []

    def kinds(named: frozenset[str]) -> KindTable:
        table = source_kinds(named)
        of_plugins.extend([] if table is KINDS else [table])
        return table

    def formats(named: frozenset[str]) -> FormatTable:
        table = output_formats(named)
        of_plugins.extend([] if table is FORMATS else [table])
        return table

    def loaded(main: str | None, environ: Mapping[str, str], reader: LimitedReader) -> Settings:
        from feedhub.config.load import load

        return load(main, overrides, environ, cwd, rules_file=rules_file, kinds=kinds, formats=formats, reader=reader)

    if rules_file is not None or reader is not None:
        return loaded(path, environ, reader or LimitedReader())
    return kept_or_loaded(
        path,
        overrides,
        environ,
        cwd,
        load=loaded,
        may_keep=lambda: not of_plugins,
        makes_folder=makes_folder,
    )


@lru_cache(maxsize=64)
def source_kind(name: str) -> SourceKind:
    """Return the kind of that name, built in or installed.

    Raises:
        ParseError: there is none that can be used.
    """
    table = source_kinds({name})
    kind = table.kind(name)
    if kind is None:
        reason = dict(table.broken).get(name)
        raise ParseError(f"kind: {name}: its plugin {reason}" if reason else f"unknown kind {name!r}")
    return kind


class Signers:
    """The signers that sources ask for with ``sign: NAME``, from the entry points ``feedhub.signers``."""

    def __init__(self, sources: Iterable[Source]) -> None:
        wanted = {source.sign for source in sources if source.sign}
        self._plugins = load_plugins(SIGNERS, wanted) if wanted else Plugins()

    def sign(self, request: Request, source: Source) -> Request:
        """Return ``request`` signed as ``source`` asks; unchanged for one that asks for nothing.

        Raises:
            PollError: no installed package offers the signer, or it failed.
        """
        if not source.sign:
            return request
        if source.sign in self._plugins.broken:
            raise PollError(f"sign: the signer {self._plugins.broken[source.sign]}")
        signer = self._plugins.loaded.get(source.sign)
        if signer is None:
            names = ", ".join(self._plugins.names) or "none"
            raise PollError(f'sign: no installed package offers the signer "{source.sign}"; offered: {names}')
        try:
            return cast(Signer, signer)(request, source)
        except Exception as exc:
            raise PollError(f'sign: the signer "{source.sign}" failed: {type(exc).__name__}: {exc}') from exc
