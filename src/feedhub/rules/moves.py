"""Sources that moved: permanent redirects are believed after a while, and not for ever (SPEC §7, guarantee 30)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from feedhub.model.document import Redirect, Request
from feedhub.model.source import Source, SourceState

PERMANENT: Final = frozenset({301, 308})
SIGHTINGS: Final = 3
_FAILURES_BELIEVED: Final = 3


def asked_url(source: Source, state: SourceState) -> str:
    """Return the address that is asked for a source: where it moved to, unless its configuration changed since."""
    return state.moved_to if state.moved_to and state.configured_url == source.url else source.url


def redirected_request(request: Request, source: Source, state: SourceState) -> Request:
    """Return the request, at the address a source moved to. Credentials stay with the configured origin."""
    url = asked_url(source, state)
    # An address with placeholders, a POST or a file cannot be said to have moved.
    if url == source.url or request.url != source.url or request.method != "GET":
        return request
    return replace(request, url=url, origin=source.url)


def after_success(state: SourceState, asked: str, redirects: Sequence[Redirect]) -> SourceState:
    """Return the state after a poll that gave a feed: the third sighting of one target in a row is believed."""
    target = permanent_target(redirects)
    if target is None or target == asked:
        return replace(state, move_target=None, move_sightings=0)
    sightings = state.move_sightings + 1 if target == state.move_target else 1
    if sightings < SIGHTINGS:
        return replace(state, move_target=target, move_sightings=sightings)
    return replace(state, moved_to=target, move_target=None, move_sightings=0)


def after_failure(state: SourceState) -> SourceState:
    """Return the state after a failed poll: the row is broken, and a new address that fails is given up again."""
    state = replace(state, move_target=None, move_sightings=0)
    if state.moved_to and (state.failures >= _FAILURES_BELIEVED or state.gone):
        return replace(state, moved_to=None, gone=False)
    return state


def permanent_target(redirects: Sequence[Redirect]) -> str | None:
    """Return where the unbroken run of permanent redirects leads that begins at the asked address."""
    target = None
    for redirect in redirects:
        if redirect.status not in PERMANENT:
            break
        target = redirect.url
    return target if target and urlsplit(target).scheme in ("http", "https") else None
