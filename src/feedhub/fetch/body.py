"""Reading a body: decoded, counted, complete."""

from urllib3 import HTTPResponse

from feedhub.errors import TooLargeError, TruncatedError
from feedhub.fetch.decode import PIECE, decoder_for
from feedhub.fetch.watchdog import Exchange

_SHORT = 16_384


def read_body(raw: HTTPResponse, exchange: Exchange, max_size: int) -> bytes:
    """Return the whole body, decoded.

    Raises:
        TooLargeError: more than ``max_size`` decoded bytes; what is beyond is not inflated.
        TruncatedError: the stream ended inside its coding.
        DeadlineError: the watchdog ended the exchange.
        FetchError: the coding is not what the header says.
    """
    decoder = decoder_for(raw.headers.get("content-encoding"))
    if decoder is None and (raw.length_remaining or 0) > max_size:
        raise _too_large(max_size)
    parts: list[bytes] = []
    received = decoded = 0
    while chunk := raw.read1(PIECE, decode_content=False):
        exchange.remaining()
        received += len(chunk)
        # Compressed data may go on after the end of its stream, and empty members give nothing to count.
        if received > max_size + PIECE:
            raise _too_large(max_size)
        for piece in decoder.pieces(chunk) if decoder else (chunk,):
            decoded += len(piece)
            if decoded > max_size:
                raise _too_large(max_size)
            parts.append(piece)
    if exchange.expired:
        raise exchange.too_late()
    if decoder and received and not decoder.is_complete:
        raise TruncatedError("the compressed body ends in the middle")
    return b"".join(parts)


def release(raw: HTTPResponse) -> None:
    """Make the connection usable again if there is nothing or little left to read, else drop it."""
    if raw.length_remaining is not None and raw.length_remaining <= _SHORT:
        while raw.read1(_SHORT, decode_content=False):
            pass
    raw.close()


def _too_large(max_size: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {max_size} bytes")
