"""How long commands take that have little to do: CPU and wall of a whole process, the best and the median of many.

python benchmarks/start.py
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
CONFIG = """\
site: {title: Start, url: https://start.example}
sources:
  - {name: one, url: one.xml, category: news}
"""
FEED = """\
<rss version="2.0"><channel><title>One</title><link>https://one.example/</link><description>x</description>
<item><title>A</title><guid>a</guid><link>https://one.example/a</link></item></channel></rss>
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.xml").write_text(FEED)
        (folder / "feedhub.yaml").write_text(CONFIG)
        commands = {
            "python alone": [sys.executable, "-c", "pass"],
            "feedhub --help": feedhub("--help"),
            "feedhub status": feedhub("status", "-c", folder / "feedhub.yaml"),
            "feedhub poll, nothing new": feedhub("poll", "--all", "-c", folder / "feedhub.yaml"),
        }
        for command in commands.values():  # what the first run makes is there for the others
            spent(command)
        # In turns, so that what else the machine does falls on all.
        runs = {title: [] for title in commands}
        for _ in range(RUNS):
            for title, command in commands.items():
                runs[title].append(spent(command))
        print(f"{'seconds':<28}{'CPU, best':>12}{'median':>10}{'wall, best':>12}")
        for title, costs in runs.items():
            cpu, wall = zip(*costs, strict=True)
            print(f"{title:<28}{min(cpu):>12.3f}{statistics.median(cpu):>10.3f}{min(wall):>12.3f}")


def feedhub(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "feedhub", *map(str, arguments)]


def spent(command: list[str]) -> tuple[float, float]:
    """Return the CPU time and the time on the wall of one run, in seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - began


if __name__ == "__main__":
    main()
