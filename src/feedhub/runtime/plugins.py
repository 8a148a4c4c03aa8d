"""What other packages add through entry points."""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from feedhub.errors import PollError
from feedhub.model.document import Request
from feedhub.model.source import Source

SIGNERS: Final = "feedhub.signers"

Signer = Callable[[Request, Source], Request]
"""Returns the request with what a signed API wants: parameters, headers, a body. Must not do any I/O."""


class Signers:
    """The signers that sources ask for with ``sign: NAME``, from the entry points ``feedhub.signers``."""

    def __init__(self, sources: Iterable[Source]) -> None:
        wanted = {source.sign for source in sources if source.sign}
        self._offered: dict[str, EntryPoint] = (
            {point.name: point for point in entry_points(group=SIGNERS)} if wanted else {}
        )

    def sign(self, request: Request, source: Source) -> Request:
        """Return ``request`` signed as ``source`` asks; unchanged for one that asks for nothing.

        Raises:
            PollError: no installed package offers the signer, or it failed.
        """
        if not source.sign:
            return request
        point = self._offered.get(source.sign)
        if point is None:
            names = ", ".join(sorted(self._offered)) or "none"
            raise PollError(f'sign: no installed package offers the signer "{source.sign}"; offered: {names}')
        try:
            return cast(Signer, point.load())(request, source)
        except Exception as exc:
            raise PollError(f'sign: the signer "{source.sign}" failed: {type(exc).__name__}: {exc}') from exc
