"""What tests use of the npm registry, as `make npm` puts it into the checkout."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_READ = """
const Parser = require("rss-parser");
const text = require("fs").readFileSync(0, "utf-8");
new Parser().parseString(text).then((feed) => console.log(JSON.stringify(
  feed.items.map((item) => [item.id || item.guid, item.title || ""]))));
"""


def package(name: str) -> Path:
    """Return the folder of a package, or skip the test; without it CI fails where it has npm."""
    folder = ROOT / ".npm" / "node_modules" / name
    if not folder.is_dir():
        if os.environ.get("CI") and shutil.which("npm"):
            pytest.fail(f"the npm package {name} is not installed")
        pytest.skip(f"the npm package {name} is not installed: make npm")
    return folder


def by_rss_parser(feed: bytes) -> list[tuple[str, str]]:
    """Return (id, title) of what rss-parser reads from a feed."""
    modules = package("rss-parser").parent
    environment = {**os.environ, "NODE_PATH": str(modules)}
    ran = subprocess.run(
        ["node", "-e", _READ], input=feed, env=environment, capture_output=True, check=True, timeout=30
    )
    return [(guid, title) for guid, title in json.loads(ran.stdout)]
