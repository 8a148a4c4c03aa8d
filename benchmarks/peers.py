"""Other programs on the same feeds, where they are installed: newsboat and sfeed from the system, reader and rss2email
from a virtual environment of their own whose path is in ``FEEDHUB_BENCH_VENV`` (never the project's).
"""

import os
import shutil
from pathlib import Path

from feeds import Site

Peer = tuple[str, dict[str, list[str]]]
"""A name, and the command of each phase that the program takes part in."""

_READER = """
import sys
from reader import make_reader
reader = make_reader(sys.argv[1])
for url in sys.argv[2:]:
    reader.add_feed(url, exist_ok=True)
reader.update_feeds(workers=4, scheduled=False)
"""
_SFEED = """
sfeedpath="{folder}/feeds"
fetch() {{
  curl -sS --etag-save "{folder}/$1.new" --etag-compare "{folder}/$1.etag" "$2"
  mv -f "{folder}/$1.new" "{folder}/$1.etag"
}}
feeds() {{
{lines}
}}
"""


def installed(folder: Path, site: Site, count: int) -> list[Peer]:
    """Return the peers that are there, set up in ``folder``."""
    found = [_newsboat(folder, site, count), _sfeed(folder, site, count), _reader(folder, site, count)]
    found.append(_rss2email(folder, site, count))
    return [peer for peer in found if peer]


def _addresses(site: Site, count: int, prefix: str = "") -> list[str]:
    return [f"{site.address}{prefix}/{number}" for number in range(count)]


def _newsboat(folder: Path, site: Site, count: int) -> Peer | None:
    if shutil.which("newsboat") is None:
        return None
    commands = {}
    for prefix, phases in (("", ("cold", "304", "one new in 10 %")), ("/plain", ("cold, no validators", "same body"))):
        home = folder / f"newsboat{prefix.replace('/', '-')}"
        home.mkdir()
        (home / "urls").write_text("\n".join(_addresses(site, count, prefix)) + "\n")
        (home / "config").write_text("reload-threads 4\n")
        files = ("-u", home / "urls", "-C", home / "config", "-c", home / "cache.db")
        commands |= {key: ["newsboat", *map(str, files), "-x", "reload"] for key in phases}
    return "newsboat", commands


def _sfeed(folder: Path, site: Site, count: int) -> Peer | None:
    if shutil.which("sfeed_update") is None or shutil.which("curl") is None:
        return None
    home = folder / "sfeed"
    home.mkdir()
    lines = "\n".join(f'feed "f{number}" "{url}"' for number, url in enumerate(_addresses(site, count)))
    (home / "sfeedrc").write_text(_SFEED.format(folder=home, lines=lines))
    return "sfeed", {key: ["sfeed_update", str(home / "sfeedrc")] for key in ("cold", "304", "one new in 10 %")}


def _of_venv(program: str) -> Path | None:
    place = os.environ.get("FEEDHUB_BENCH_VENV")
    path = Path(place or "/nowhere") / "bin" / program
    return path if path.exists() else None


def _reader(folder: Path, site: Site, count: int) -> Peer | None:
    python = _of_venv("python")
    if python is None or not list(python.parent.parent.glob("lib/*/site-packages/reader")):
        return None
    commands: dict[str, list[str]] = {}
    for prefix, phases in (("", ("cold", "304", "one new in 10 %")), ("/plain", ("cold, no validators", "same body"))):
        database = folder / f"reader{prefix.replace('/', '-')}.db"
        run = [str(python), "-c", _READER, str(database), *_addresses(site, count, prefix)]
        commands |= dict.fromkeys(phases, run)
    return "lemon24/reader", commands


def _rss2email(folder: Path, site: Site, count: int) -> Peer | None:
    program = _of_venv("r2e")
    if program is None:
        return None
    home = folder / "rss2email"
    (home / "mail").mkdir(parents=True)
    sections = "".join(f"[feed.f{n}]\nurl = {url}\n" for n, url in enumerate(_addresses(site, count)))
    maildir = f"email-protocol = maildir\nmaildir-path = {home}/mail\nmaildir-mailbox = new\n"
    (home / "config").write_text(f"[DEFAULT]\nfrom = a@b.example\nto = a@b.example\n{maildir}{sections}")
    run = [str(program), "-c", str(home / "config"), "-d", str(home / "data.json"), "run"]
    return "rss2email", dict.fromkeys(("cold", "304", "one new in 10 %"), run)
