"""The origin site's servers on loopback, from the reconstructed answers beside the project."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.responders import Responder, static
from support.server import LoopbackServer, serve

FINEWS = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "finews"
CONFIG = Path(__file__).parent.parent.parent / "config" / "examples" / "finews" / "feedhub.yaml"
needs_finews = pytest.mark.skipif(not FINEWS.is_dir(), reason="the data of the origin site is not beside the project")


def manifest() -> list[dict[str, Any]]:
    """Return what is known of every post."""
    entries: list[dict[str, Any]] = json.loads((FINEWS / "api" / "manifest.json").read_text("utf-8"))
    return entries


@contextmanager
def finews_servers(*lists: str) -> Iterator[LoopbackServer]:
    """Serve the lists and the texts. ``lists`` name other files for the rolling list (type 102)."""
    api = FINEWS / "api"

    def answer(path: Path) -> Responder:
        return static(path.read_bytes(), content_type="application/json; charset=utf-8")

    routes: dict[str, Responder] = {
        "/web/webapi?type=102&count=100&newsid=1": answer(api / (lists[0] if lists else "webapi-type102.json")),
        "/web/webapi?type=45&count=100&newsid=1": answer(api / "webapi-type45.json"),
    }
    for market in ("37", "38", "39"):
        path = f"/information/newmarket/web/webapi?marketType={market}&count=100"
        routes[path] = answer(api / f"newmarket-marketType{market}.json")
    for text in (api / "GetNewsText").glob("*.json"):
        routes[f"/NewsData/GetNewsText.do?id={text.stem}"] = answer(text)
    with serve(routes) as server:
        yield server
