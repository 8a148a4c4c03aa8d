"""Who follows a store, as an output folder does: it knows up to which change it has seen everything."""

from pathlib import Path
from weakref import WeakKeyDictionary

from feedhub.pipeline.state import FolderState, read_state
from feedhub.ports.publishing import STATE
from feedhub.ports.store import Store

_seen: WeakKeyDictionary[Store, int] = WeakKeyDictionary()


def publish(store: Store) -> None:
    """See all changes that there are."""
    _seen[store] = store.change_number()


def due_outputs(store: Store) -> dict[str, int]:
    """Return which outputs changed since, each with the number of its newest change."""
    return dict(store.changed_outputs(_seen.get(store, -1)))


def state_of(folder: Path) -> FolderState:
    """Return what an output folder remembers."""
    place = folder / STATE
    return (read_state(place.read_bytes()) if place.exists() else None) or FolderState()


def due_in(folder: Path, store: Store) -> dict[str, int]:
    """Return which outputs are due in a folder, each with the number of its newest change."""
    state = state_of(folder)
    return {slug: at for slug, at in store.changed_outputs(-1).items() if at > state.published(slug)}
