"""Every contract test runs on every implementation of the store."""

from collections.abc import Iterator

import pytest

from feedhub.ports.store import Store
from support.builders import NOW, categories
from support.stores import STORES


@pytest.fixture(params=STORES)
def empty_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param]() as made:
        yield made


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A new store with two categories."""
    empty_store.sync_categories(categories("tech", "cn"), NOW)
    return empty_store
