from collections.abc import Iterator

import pytest

from feedhub.fetch.fetcher import HttpFetcher
from support.fetching import http_fetcher
from support.server import LoopbackServer, serve


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with serve() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[HttpFetcher]:
    with http_fetcher() as made:
        yield made
