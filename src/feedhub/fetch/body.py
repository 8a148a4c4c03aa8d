"""Transfer codings, decoded piece by piece, with a known end.

urllib3 can decode them too, but it does not tell when a gzip stream ends early, and a cut stream must be an error
(GUARANTEES 9). Every decoder gives pieces of bounded size, so that a bomb is stopped while it inflates.
"""

import sys
import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
from urllib3 import HTTPResponse

from feedhub.errors import FetchError, TooLargeError, TruncatedError
from feedhub.fetch.watchdog import Exchange

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
PIECE = 65_536

# Written by servers that mean "none": the header is known to carry charsets by mistake.
_NO_CODINGS = frozenset({"", "identity", "none", "binary", "8bit", "utf-8", "utf8"})
# RFC 9659: what a decoder of zstd over HTTP has to support, and so the memory it may be made to use.
_ZSTD_WINDOW_LOG = 23


class Decoder(Protocol):
    """Undoes one coding. ``is_complete`` says whether the end of the stream was seen."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode the next part of the stream into pieces of about ``PIECE`` bytes at most.

        Raises:
            FetchError: this is not a stream of this coding.
        """
        ...

    @property
    def is_complete(self) -> bool: ...


def decoder_for(content_encoding: str | None) -> Decoder | None:
    """Return the decoder for a ``Content-Encoding`` header; None when the body is sent as it is.

    Raises:
        FetchError: a coding that was not asked for.
    """
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in _NO_CODINGS]
    # One layer only: nobody needs two, and an outer bomb that feeds an empty inner stream could not be counted.
    match ",".join(names):
        case "":
            return None
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise FetchError("the answer has a transfer coding that was not asked for")


class _Gzip:
    """RFC 1952; members may follow each other, rubbish after the last one is ignored as browsers do."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                if not data.startswith(b"\x1f"):
                    return
                self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield from _inflate(self._stream, data, "gzip")
            data = self._stream.unused_data

    @property
    def is_complete(self) -> bool:
        return self._stream.eof


class _Deflate:
    """RFC 9110 §8.4.1.2 says zlib, many send raw deflate; the first two bytes tell."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflate(self._stream, data, "deflate")

    @property
    def is_complete(self) -> bool:
        return self._stream is not None and self._stream.eof


def _inflate(stream: "zlib._Decompress", data: bytes, name: str) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, PIECE)
            if piece:
                yield piece
            data = stream.unconsumed_tail
            # Without input left there may still be output inside, as long as pieces come out full.
            if stream.eof or (not data and len(piece) < PIECE):
                return
    except zlib.error as exc:
        raise FetchError(f"the body is not the {name} that its header says") from exc


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            return
        try:
            while True:
                piece = self._stream.process(data, output_buffer_limit=PIECE)
                data = b""
                if piece:
                    yield piece
                # Ready for more input does not mean that all output was given: only an empty piece says so.
                if self._stream.is_finished() or (not piece and self._stream.can_accept_more_data()):
                    return
        except brotli.error as exc:
            raise FetchError("the body is not the br that its header says") from exc

    @property
    def is_complete(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstd:
    """RFC 8878; frames may follow each other."""

    def __init__(self) -> None:
        self._stream = _new_zstd()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        try:
            while data or not (self._stream.needs_input or self._stream.eof):
                if self._stream.eof:
                    self._stream = _new_zstd()
                piece = self._stream.decompress(data, PIECE)
                data = self._stream.unused_data if self._stream.eof else b""
                if piece:
                    yield piece
        except zstd.ZstdError as exc:
            raise FetchError("the body is not the zstd that its header says") from exc

    @property
    def is_complete(self) -> bool:
        return self._stream.eof


def _new_zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


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
