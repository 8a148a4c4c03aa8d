"""One Chromium for all tests of this package: its start costs more than most of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.browser import started_chromium


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    with started_chromium() as browser:
        yield browser
