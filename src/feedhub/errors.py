"""The error tree. Facts are attributes; the text is one line that names the place.

FeedhubError
├── ConfigError          the configuration cannot be used; carries every Problem
├── UsageError           a command was given something it cannot work with
├── PollError            one source could not be polled; costs one poll
│   ├── FetchError       no complete answer came
│   │   ├── RefusedAddressError   the address guard said no
│   │   ├── UnreachableError      no connection was made at all
│   │   ├── DeadlineError         the total time was used up
│   │   ├── TooLargeError         more decoded bytes than allowed
│   │   ├── TruncatedError        the transfer ended early
│   │   ├── RedirectError         a loop, too many hops, or an unusable target
│   │   └── HttpStatusError       an answer other than 200 or 304
│   └── ParseError       an answer came, but it is not a feed that can be read
├── StoreError           the store cannot be used (locked, newer schema)
│   ├── NoStoreError          there is none yet
│   ├── FullStoreError        there is no room on its disk
│   ├── StoreInUseError       another process or thread holds it, or the right to a task on it
│   ├── ReplacedStoreError    another file took its place
│   ├── NotAloneError         a transaction beside others came to what must be done alone
│   ├── FencedError           another worker has the host by now
│   └── DamagedStoreError     nor will it by waiting
├── PublishError         one output could not be written; the last good one stays
│   └── FolderInUseError      another process publishes into the folder
├── WorkerError          work in a process of its own took too long or too much memory, or broke
└── ServeError           the web server cannot listen where it should
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedhub.model.settings import Problem


class FeedhubError(Exception):
    """Root of everything feedhub raises on purpose."""


class ConfigError(FeedhubError):
    """The configuration cannot be used; ``problems`` lists everything that is wrong with it.

    ``files`` are those that were read or looked for, ``folders`` those in which ``include`` looked: a change of one of
    them may mend it.
    """

    def __init__(
        self, problems: "tuple[Problem, ...]", *, files: tuple[str, ...] = (), folders: tuple[str, ...] = ()
    ) -> None:
        self.problems = problems
        self.files = files
        self.folders = folders
        super().__init__("\n".join(str(problem) for problem in problems))


class UsageError(FeedhubError):
    """A command was given a name, address or file that it cannot work with."""


class PollError(FeedhubError):
    """One source could not be polled. ``retry_at`` is the earliest time the server allows another try."""

    def __init__(self, message: str, *, status: int | None = None, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_at = retry_at


class FetchError(PollError):
    """No complete answer came: unreachable, reset, TLS, file missing."""


class RefusedAddressError(FetchError):
    """The address is private, has a scheme other than http(s), or is otherwise never asked."""


class UnreachableError(FetchError):
    """No connection was made: the name cannot be resolved, nothing listens there, no route, no answer to the call.

    ``own_network``: what failed lies on our side as far as can be told (no route, no name service), so it says
    nothing about the source.
    """

    def __init__(self, message: str, *, own_network: bool = False) -> None:
        super().__init__(message)
        self.own_network = own_network


class DeadlineError(FetchError):
    """The total time for the request, headers and redirects included, was used up."""


class TooLargeError(FetchError):
    """The decoded body is larger than allowed."""


class TruncatedError(FetchError):
    """The transfer ended before the announced end."""


class RedirectError(FetchError):
    """A redirect loop, more hops than allowed, or a target that cannot be used."""


class HttpStatusError(FetchError):
    """The server answered with a status other than 200 and 304 (kept in ``status``)."""


class ParseError(PollError):
    """The document is not a feed that can be read. ``offers`` lists feeds that an HTML page links to."""

    def __init__(self, message: str, *, offers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.offers = offers


class StoreError(FeedhubError):
    """The store cannot be used: locked, damaged, of a newer schema, or one of the kinds below."""


class NoStoreError(StoreError):
    """There is no store at the place that the configuration names, and what was asked needs one."""


class FullStoreError(StoreError):
    """There is no room on the disk of the store: to wait may help."""


class StoreInUseError(StoreError):
    """Another process or thread holds the store, or the right to do a task on it: to wait may help."""


class ReplacedStoreError(StoreError):
    """Another file took the place of the store while it was open; only a restart takes it up."""


class NotAloneError(StoreError):
    """A transaction that runs beside others came to what must be done alone; it is taken back, and repeated so."""


class FencedError(StoreError):
    """A worker was thought dead, and what it fetched is another's to store; or it goes by an old configuration."""


class DamagedStoreError(StoreError):
    """The store's file is damaged or is none: to wait does not help."""


class PublishError(FeedhubError):
    """One output could not be rendered or written; the last good output stays in place."""


class FolderInUseError(PublishError):
    """Another process has been publishing into the output folder for too long."""


class WorkerError(FeedhubError):
    """Work that was done in a process of its own gave nothing; the text says why, and continues a sentence."""


class ServeError(FeedhubError):
    """The web server cannot listen where it should: the address is in use, or is not ours."""
