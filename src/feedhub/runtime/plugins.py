"""What other packages add through entry points."""

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Final, cast

from feedhub.errors import UsageError
from feedhub.model.document import Request
from feedhub.model.source import Source

SIGNERS: Final = "feedhub.signers"

Signer = Callable[[Request, Source], Request]
"""Returns the request with what a signed API wants: parameters, headers, a body. Must not do any I/O."""


class Signers:
    """The signers that sources ask for with ``sign: NAME``, loaded from the entry points ``feedhub.signers``.

    Raises:
        UsageError: no installed package offers a signer of that name.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        wanted = {source.sign: source.place for source in sources if source.sign}
        offered = {point.name: point for point in entry_points(group=SIGNERS)} if wanted else {}
        for name, place in wanted.items():
            if name not in offered:
                names = ", ".join(sorted(offered)) or "none"
                raise UsageError(f'{place}: sign: no installed package offers the signer "{name}"; offered: {names}')
        self._signers = {name: cast(Signer, offered[name].load()) for name in wanted if name}

    def sign(self, request: Request, source: Source) -> Request:
        """Return ``request`` signed as ``source`` asks; unchanged for one that asks for nothing."""
        return self._signers[source.sign](request, source) if source.sign else request
