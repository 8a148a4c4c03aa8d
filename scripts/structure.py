"""Figures of the house: modules, lines, single importers, and what one entry runs through..

``python scripts/structure.py [CHECKOUT]`` measures another checkout by this same script; that checkout needs a
``.venv`` of its own, or ``PYTHON`` names an interpreter that has its dependencies. A module is a Python file of
``src/feedhub`` other than ``__init__.py``. The path of one entry is every function entered during one
``poll --all`` of a feed with one entry that comes by HTTP, published as Atom only and without pages, in all processes;
bodies of modules and classes are left out.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

FEED = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>One</title><id>urn:one</id><updated>2026-01-01T00:00:00Z</updated>
<entry><title>An entry</title><id>urn:one:1</id><link href="https://one.example.org/1"/>
<updated>2026-01-01T00:00:00Z</updated><content type="html">&lt;p&gt;Text&lt;/p&gt;</content></entry></feed>
"""
CONFIG = """site: {title: One, url: "https://site.example.org"}
store: sqlite:///store.db
output: {dir: output, formats: [atom], pages: false}
poll: {allow_private: ["127.0.0.1:PORT"]}
sources: [{name: one, url: "http://127.0.0.1:PORT/one.xml", category: news}]
"""
RECORDER = """
import os, sys, threading
_FUNCTION = 1  # CO_OPTIMIZED: bodies of modules and classes do not have it
_seen = set()
def _profile(frame, event, _):
    code = frame.f_code
    if event != "call" or code in _seen:
        return
    _seen.add(code)
    if os.sep + "feedhub" + os.sep in code.co_filename and code.co_flags & _FUNCTION and code.co_name[0] != "<":
        line = f"{code.co_filename}\\t{code.co_qualname}\\n".encode()
        target = os.open(os.environ["STRUCTURE_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(target, line)
        os.close(target)
threading.setprofile(_profile)
sys.setprofile(_profile)
"""


def modules(package: Path) -> dict[str, Path]:
    """Return the modules of a package by their dotted names."""
    found = (path for path in package.rglob("*.py") if path.name != "__init__.py")
    return {".".join(("feedhub", *path.relative_to(package).with_suffix("").parts)): path for path in sorted(found)}


def importers(named: dict[str, Path], package: Path) -> dict[str, set[str]]:
    """Return who imports each module, packages included; an import inside of a function counts."""
    by: dict[str, set[str]] = defaultdict(set)
    for path in package.rglob("*.py"):
        own = ".".join(("feedhub", *path.relative_to(package).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            wanted: list[str] = []
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in wanted:
                if name in named and name != own:
                    by[name].add(own)
    return by


class OneFeed(BaseHTTPRequestHandler):
    """Answers every request with the feed."""

    def do_GET(self) -> None:
        """Send the feed."""
        self.send_response(200)
        self.send_header("Content-Type", "application/atom+xml")
        self.send_header("Content-Length", str(len(FEED.encode())))
        self.end_headers()
        self.wfile.write(FEED.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        """Say nothing."""


@contextmanager
def serving_the_feed() -> Iterator[int]:
    """Serve the feed on a free loopback port; give the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OneFeed) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def path_of_one_entry(checkout: Path, python: str) -> list[tuple[str, str]]:
    """Return (file, function) of everything of feedhub that one poll of one entry enters."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(RECORDER, "utf-8")
        record = folder / "record"
        paths = f"{folder / 'hook'}{os.pathsep}{checkout / 'src'}"
        environment = {**os.environ, "PYTHONPATH": paths, "STRUCTURE_RECORD": str(record)}
        command = [python, "-m", "feedhub", "poll", "--all", "-c", "feedhub.yaml"]
        with serving_the_feed() as port:
            (folder / "feedhub.yaml").write_text(CONFIG.replace("PORT", str(port)), "utf-8")
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        if not (folder / "output" / "feeds" / "news.atom").exists():
            raise SystemExit("the entry was not published")
        lines = sorted(set(record.read_text("utf-8").splitlines()))
    root = str(checkout / "src" / "feedhub") + os.sep
    pairs = (line.split("\t") for line in lines)
    return [(file.removeprefix(root), function) for file, function in pairs if file.startswith(root)]


def main() -> None:
    """Print the figures as JSON; with ``--single`` and ``--path`` what they consist of."""
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    checkout = Path(named[0] if named else Path(__file__).parent.parent).resolve()
    package = checkout / "src" / "feedhub"
    own = checkout / ".venv" / "bin" / "python"
    python = os.environ.get("PYTHON") or (str(own) if own.exists() else sys.executable)
    all_modules = modules(package)
    by = importers(all_modules, package)
    single = {name: next(iter(by[name])) for name in all_modules if len(by[name]) == 1}
    neighbours = {name: by for name, by in single.items() if name.split(".")[1] == by.split(".")[1]}
    texts = [path.read_text("utf-8") for path in all_modules.values()]
    uses = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    path = path_of_one_entry(checkout, python)
    if "--single" in sys.argv:
        print(*(f"{name} <- {by}" for name, by in sorted(neighbours.items())), sep="\n")
    if "--path" in sys.argv:
        print(*(f"{file}: {function}" for file, function in path), sep="\n")
    figures = {
        "modules": len(all_modules),
        "lines": sum(len(text.splitlines()) for text in texts),
        "modules with a single importer": len(single),
        "of them in its own room": len(neighbours),
        "files on the path of one entry": len({file for file, _ in path}),
        "functions on the path of one entry": len(path),
        "Any": sum(node.id == "Any" for node in uses),
        "longest file": max(len(text.splitlines()) for text in texts),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
