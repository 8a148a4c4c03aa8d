"""Whether a daemon is at work on a store, seen from another process."""

from datetime import timedelta
from typing import Final

from feedhub.errors import StoreError
from feedhub.rules.words import span
from feedhub.runtime.hub import Hub

# Longer than a poll, its further pages and a wait for the disk take together.
_STUCK: Final = timedelta(minutes=15)


def fault(hub: Hub) -> str | None:
    """Return what is wrong with the daemon of this configuration, or None when one runs and polls what is due.

    Raises:
        StoreError: the store cannot be used.
    """
    try:
        with hub.store.alone("run", wait=0):
            return "no daemon runs on this store"
    except StoreError as error:
        if "is in use" not in str(error):
            raise
    now, due = hub.now(), hub.store.next_due_at()
    polled = [state.last_poll_at for state in hub.store.states() if state.last_poll_at]
    # While the network is down few are tried, and the others grow overdue: that is no fault of the daemon.
    if due is None or now - due < _STUCK or (polled and now - max(polled) < _STUCK):
        return None
    return f"a daemon runs, but the source that is due has been waiting for {span((now - due).total_seconds())}"
