"""``kill -9`` in the middle of writing, again and again, while somebody reads."""

import random
import subprocess
import sys
import time
from pathlib import Path

from feedhub.model.output import OutputFile
from support.at_once import AtOnce

SIZE = 400_000
WRITER = f"""
import itertools, sys
from feedhub.model.output import OutputFile
from feedhub.publish.files import FolderWriter
for letter in itertools.cycle(b"abcdefgh"):
    with FolderWriter(sys.argv[1]).group() as group:
        group.write(OutputFile(path="feeds/a.atom", body=bytes([letter]) * {SIZE}))
        group.commit()
    print(flush=True)
"""


def test_reader_never_meets_a_torn_file_and_killed_writers_leave_nothing_for_good(tmp_path: Path) -> None:
    chance = random.Random(20_261_123)
    target = tmp_path / "feeds/a.atom"
    AtOnce(tmp_path).write(OutputFile(path="feeds/a.atom", body=b"z" * SIZE))
    torn, versions, kills = [], set(), 0
    end = time.monotonic() + 2
    while time.monotonic() < end or kills < 3 or len(versions) < 2:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            stop = time.monotonic() + chance.uniform(0.01, 0.15)
            while time.monotonic() < stop:
                body = target.read_bytes()
                versions.add(body[:1])
                if len(body) != SIZE or body.count(body[:1]) != SIZE:
                    torn.append(len(body))
            writer.kill()
            kills += 1
    assert torn == []
    AtOnce(tmp_path).write(OutputFile(path="feeds/a.atom", body=b"end"))
    assert [path.name for path in target.parent.iterdir()] == ["a.atom"]
