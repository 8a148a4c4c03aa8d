"""Source kinds that misbehave in a worker process."""

import os
import time

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed
from feedhub.model.source import Source


def sleeps(document: Document, source: Source) -> ParsedFeed:
    time.sleep(60)
    raise AssertionError("nobody stopped it")


def dies(document: Document, source: Source) -> ParsedFeed:
    os._exit(9)


def devours(document: Document, source: Source) -> ParsedFeed:
    return ParsedFeed(title=str(len(bytearray(3 << 30))), items=())


def breaks(document: Document, source: Source) -> ParsedFeed:
    raise KeyError("surprise")


def refuses(document: Document, source: Source) -> ParsedFeed:
    raise ParseError("no", offers=("https://offered.example/",))


def tells_pid(document: Document, source: Source) -> ParsedFeed:
    return ParsedFeed(title=str(os.getpid()), items=())


def runs_out_of_memory(document: Document, source: Source) -> ParsedFeed:
    raise MemoryError
