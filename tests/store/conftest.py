"""A store in a file, with two categories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedhub.store.sql import SqlStore, open_store
from support.builders import NOW, categories


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feedhub.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    made = open_store(f"sqlite:///{path}", busy_timeout=0.05)
    made.sync_categories(categories("tech", "cn"), NOW)
    yield made
    made.close()
