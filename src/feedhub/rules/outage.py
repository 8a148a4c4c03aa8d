"""Telling our own network's failure from that of sources: when nobody can be reached, nobody is blamed.

Guarantee 31.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from feedhub.errors import PollError, UnreachableError

_FEWEST_HOSTS: Final = 3
_SHARE: Final = 20
_MOST_HOSTS: Final = 20
RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Polls in a row that reached nobody: the hosts, and the sources that were asked, oldest first."""

    hosts: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    is_certain: bool = True

    def after(self, source: str, host: str, error: PollError | None) -> "Outage":
        """Return what is known after one more poll. Any answer, even a bad one, ends the suspicion."""
        if not host:
            return self  # a local file says nothing about the network
        if not isinstance(error, UnreachableError):
            return Outage()
        return replace(
            self,
            hosts=self.hosts | {host},
            sources=tuple(dict.fromkeys((*self.sources, source))),
            is_certain=self.is_certain and error.own_network,
        )

    def is_ours(self, hosts: Collection[str]) -> bool:
        """Tell whether our own network must be down; ``hosts`` are all that are polled.

        A few hosts that do not answer one after the other are no coincidence; the more are polled, the more it takes.
        With fewer hosts, all of them, if the errors speak of our side: no route, or a resolver that is out of reach.
        """
        if len(self.hosts) >= min(_FEWEST_HOSTS + len(hosts) // _SHARE, _MOST_HOSTS):
            return True
        return self.is_certain and bool(self.hosts) and self.hosts.issuperset(hosts)
