"""A reader that parses every output file over and over, in a process of its own: ``output_reader.py OUTPUT REPORT``."""

import json
import signal
import sys
import time
from pathlib import Path

from lxml import etree


def read_all_the_time(output: Path, report: Path) -> None:
    """Parse every output file, over and over; say what was torn."""
    torn: list[str] = []
    rounds = files = 0
    is_over = False

    def over(*_: object) -> None:
        nonlocal is_over
        is_over = True

    signal.signal(signal.SIGTERM, over)
    while not is_over:
        for path in sorted(output.rglob("*")):
            # What feedhub notes for itself comes and goes, and is shown to nobody.
            if any(part.startswith(".") for part in path.relative_to(output).parts):
                continue
            if path.suffix not in (".atom", ".rss", ".json", ".opml", ".html"):
                continue
            try:
                body = path.read_bytes()
            except FileNotFoundError:
                torn.append(f"{path.name}: gone")
                continue
            files += 1
            try:
                if path.suffix == ".json":
                    json.loads(body)
                elif path.suffix == ".html":
                    assert body.rstrip().endswith(b"</html>"), "cut"
                else:
                    etree.fromstring(body)
            except (ValueError, etree.XMLSyntaxError, AssertionError) as error:
                torn.append(f"{path.name}: {error}")
        rounds += 1
        time.sleep(0.2)
    report.write_text(json.dumps({"rounds": rounds, "files": files, "torn": torn}), "utf-8")


if __name__ == "__main__":
    read_all_the_time(Path(sys.argv[1]), Path(sys.argv[2]))
