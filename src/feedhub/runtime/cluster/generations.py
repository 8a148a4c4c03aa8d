"""The configuration that all workers share: a generation in the store, applied by one, followed by all."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from feedhub.config.generation import GivenReader, digest_of, written_generation
from feedhub.config.reading import LimitedReader, find_config
from feedhub.errors import ConfigError, StoreError, StoreInUseError, UsageError
from feedhub.model.settings import Settings
from feedhub.runtime.cluster.hosts import DatabaseClock
from feedhub.runtime.config_loader import Unusable, unusable
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.store.cluster import ClusterTables, Generation
from feedhub.store.sql import SqlStore

log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0
_HOUSEKEEPING: Final = "housekeeping"
_LATELY: Final = timedelta(hours=12)


def read_generation(path: str | None, overrides: Sequence[str]) -> tuple[Settings, str]:
    """Read a configuration; return it, and its text for others (see ``config/generation.py``).

    Raises:
        ConfigError: it cannot be used.
        UsageError: a secret stands in a file.
    """
    reader = LimitedReader()
    settings = load_settings(path, overrides, reader=reader)
    main = find_config(path, os.environ, str(Path.cwd()))
    return settings, written_generation(main, overrides, settings, reader.facts)


def apply_generation(hub: Hub, tables: ClusterTables, document: str) -> tuple[Generation, bool]:
    """Put a configuration in force for all workers, unless it is; return its generation, and whether it is a new one.

    Raises:
        StoreError: the store cannot be used, or another one is being applied.
    """
    tables.make()
    digest = digest_of(document)
    with hub.store.task_lock("apply", wait=_PATIENCE):
        newest = tables.newest_generation()
        if newest and newest.digest == digest and newest.is_in_force:
            return newest, False
        number = newest.number if newest and newest.digest == digest else tables.add_generation(document, digest)
        put_in_force(hub, tables, number)
        newest = tables.newest_generation()
        assert newest is not None  # noqa: S101 - tells the type checker
        return newest, True


def put_in_force(hub: Hub, tables: ClusterTables, number: int) -> None:
    """Bring categories and due times in line with a configuration that was added, and let workers begin with it."""
    hub.now = DatabaseClock(tables.now).now
    hub.sync_categories()
    hub.plan_polls()
    tables.put_in_force(number)


class SharedConfiguration:
    """The configurations in the store at an address, as this machine is to read them.

    ``address`` may name variables, as in a configuration; ``overrides`` are those of this machine.
    """

    def __init__(self, address: str, overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> None:
        self._overrides = (f"store={json.dumps(address)}", *overrides)
        self._environ = environ

    def load(self, document: str) -> Settings | Unusable:
        """Return the settings, or why this machine cannot use them."""
        try:
            reader = GivenReader.of(document)
            overrides = (*reader.overrides, *self._overrides)
            return load_settings(reader.main, overrides, self._environ, str(Path(reader.main).parent), reader=reader)
        except UsageError as error:
            return unusable("the configuration", str(error))
        except ConfigError as error:
            return Unusable(problems=error.problems, count=len(error.problems))


def adopt_left(shared: SharedConfiguration, store: SqlStore, tables: ClusterTables, generation: Generation) -> None:
    """Put in force what was added by somebody who did not get so far; nothing happens where this cannot be done."""
    settings = shared.load(tables.document(generation.number))
    if isinstance(settings, Unusable):
        return
    try:
        with store.task_lock("apply", wait=0.0):
            hub = Hub(settings)
            hub.store = store
            put_in_force(hub, tables, generation.number)
    except StoreError:
        return


def keep_house(hub: Hub, number: int, tables: ClusterTables) -> bool:
    """Apply retention, and let the database tidy up, as a daemon does every night; one of all workers does it.

    ``number`` is the generation of ``hub``. Return whether it was done; not where another worker did it lately, or one
    of another configuration is to.
    """
    store = hub.store
    try:
        with store.task_lock("apply", wait=0.0):
            newest = tables.newest_generation()
            with store.transaction() as transaction:
                last = transaction.note(_HOUSEKEEPING)
            if (
                newest is None
                or newest.number != number
                or (last and hub.now() - datetime.fromisoformat(last) < _LATELY)
            ):
                return False
            report = hub.prune()
            store.maintain()
            with store.transaction() as transaction:
                transaction.set_note(_HOUSEKEEPING, hub.now().isoformat())
    except StoreInUseError:
        return False
    log.info("housekeeping", extra={"removed": report.items, "keys": report.keys, "ledger": report.ledger})
    return True
