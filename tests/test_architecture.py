"""The layout of docs/architecture.md, held: floors, fences, libraries, short files, and what the page names.

Every check looks at all files in one test, and its message lists all that is wrong.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "feedhub"
FLOORS = {
    "model": 0,
    "errors": 0,
    "rules": 1,
    "ports": 1,
    "config": 2,
    "fetch": 2,
    "sources": 2,
    "store": 2,
    "publish": 2,
    "pipeline": 3,
    "runtime": 4,
    "web": 5,
    "cli": 6,
}
# The pipeline knows ports, never adapters, so floor 2 is closed to it. Errors carry nouns.
FENCED = {"pipeline": {0, 1}, "errors": {0}}
LIBRARIES = {
    "apprise": {"fetch"},
    "apscheduler": {"runtime"},
    "backports": {"fetch", "store"},
    "brotli": {"fetch"},
    "anyascii": {"rules"},
    "charset_normalizer": {"sources"},
    "compression": {"fetch", "store"},  # the standard library from Python 3.14 on
    "dateutil": {"rules"},
    "feedgen": {"publish"},
    "filelock": {"store"},
    "feedparser": {"sources"},
    "cssselect": {"rules", "sources"},
    "h11": {"web"},  # comes with uvicorn
    "jinja2": {"publish", "web"},
    "jmespath": {"rules"},
    "lxml": {"sources", "config", "publish"},
    "markdown_it": {"sources"},
    "markupsafe": {"publish"},  # comes with jinja2
    "nh3": {"sources"},
    "pebble": {"runtime"},
    "prometheus_client": {"web"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "annotated_types": {"config"},
    "pypinyin": {"rules"},
    "re2": {"rules"},
    "requests": {"fetch"},
    "rich": {"cli"},
    "psycopg": {"store"},
    "procrastinate": {"runtime"},
    "psycopg_pool": {"runtime"},  # comes with procrastinate
    "sqlalchemy": {"store"},
    "starlette": {"web"},
    "structlog": {"runtime"},
    "trafilatura": {"sources"},
    "typer": {"cli"},
    "urllib3": {"fetch"},
    "uvicorn": {"web"},
    "watchfiles": {"runtime"},
    "yaml": {"config", "publish"},
}
IMPURE = {"time", "random", "socket", "os", "pathlib", "logging", "threading", "subprocess", "requests", "secrets"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield (line, dotted module, level of relativity) of every import, those inside functions too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "", node.level


def test_imports_go_down_only_and_never_to_a_neighbour() -> None:
    wrong = []
    for path in MODULES:
        room = room_of(path)
        if room in ("__init__", "__main__"):
            continue
        allowed = FENCED.get(room, set(range(FLOORS[room])))
        for line, module, level in imports(path):
            if level:
                wrong.append(f"{name_of(path)}:{line}: relative import")
            target = module.split(".")[1] if module.startswith("feedhub.") else room  # a bare "feedhub" is the version
            if target != room and FLOORS[target] not in allowed:
                wrong.append(f"{name_of(path)}:{line}: {room} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_a_library_is_imported_in_its_room_only() -> None:
    wrong = []
    for path in MODULES:
        for line, module, _ in imports(path):
            library = module.partition(".")[0]
            if library in sys.stdlib_module_names or library in ("feedhub", ""):
                continue
            if library not in LIBRARIES:
                wrong.append(f"{name_of(path)}:{line}: {library} has no room yet")
            elif room_of(path) not in LIBRARIES[library]:
                wrong.append(f"{name_of(path)}:{line}: {library} belongs to {LIBRARIES[library]}")
    assert not wrong, "\n".join(wrong)


def test_the_model_needs_the_standard_library_only() -> None:
    wrong = [
        f"{name_of(path)}:{line}: {module}"
        for path in MODULES
        if room_of(path) == "model"
        for line, module, _ in imports(path)
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith("feedhub.model")
    ]
    assert not wrong, "\n".join(wrong)


def test_rules_have_no_clock_disk_network_randomness_or_logging() -> None:
    wrong = []
    for path in MODULES:
        if room_of(path) == "rules":
            found = [(line, module) for line, module, _ in imports(path) if module.partition(".")[0] in IMPURE]
            wrong += [f"{name_of(path)}:{line}: {module}" for line, module in found]
            impure = re.findall(r"\b(?:now\(\)|utcnow\(\)|today\(\)|open\()", path.read_text("utf-8"))
            wrong += [f"{name_of(path)}: {call}" for call in impure]
    assert not wrong, "\n".join(wrong)


def test_files_stay_under_500_lines_and_functions_under_50() -> None:
    wrong = []
    for path in MODULES:
        text = path.read_text("utf-8")
        lines = len(text.splitlines())
        if lines >= 500:
            wrong.append(f"{name_of(path)}: {lines} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length >= 50:
                    wrong.append(f"{name_of(path)}:{node.lineno}: {node.name} has {length} lines")
    assert not wrong, "\n".join(wrong)


def test_nouns_are_frozen_slotted_and_keyword_only() -> None:
    wrong = []
    for path in (PACKAGE / "model").glob("*.py"):
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and node.decorator_list:
                text = ast.unparse(node.decorator_list[0])
                wanted = ["frozen=True", "slots=True"] + ["kw_only=True"] * (node.name != "IdentityKey")
                wrong += [f"{path.name}: {node.name} without {word}" for word in wanted if word not in text]
    assert not wrong, "\n".join(wrong)


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").partition("dependencies = [\n")[2].partition("\n]")[0]
    assert all("# " in line for line in lines.splitlines())


def test_the_lock_names_no_package_host() -> None:
    assert "http" not in (ROOT / "requirements.lock").read_text("utf-8")


def test_the_test_command_of_the_readme_is_that_of_make() -> None:
    (command,) = re.findall(r"^PYTEST := \$\(BIN\)/(pytest .*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert f".venv/bin/{command}\n" in (ROOT / "README.md").read_text("utf-8")


PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
SPANS = [span for span in re.findall(r"`([^`\n]+)`", PAGE.replace("```", "")) if ".py" in span or span.endswith("/")]
# A file with names that it defines, such as `rules/text.py: plain` or `runtime/hub.py: Hub.poll, Waits`; or a folder.
NAMED = re.compile(r"((?:\w+/)*(?:\w+\.py|\w+/))(?:: (\w+(?:\.\w+)?(?:, \w+(?:\.\w+)?)*))?")


def defined_in(path: Path) -> set[str]:
    """Return the names of what a module defines, and of what its classes define as ``Class.name``."""
    found: set[str] = set()
    for node in tree_of(path).body:
        found |= names_in(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for inner in node.body for name in names_in(inner)}
    return found


def names_in(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_every_file_and_function_on_the_page_is_there() -> None:
    wrong = []
    for span in SPANS:
        read = NAMED.fullmatch(span)
        found = [place for top in (PACKAGE, ROOT) if read and (place := top / read[1]).exists()]
        if not read or not found:
            wrong.append(span)
        elif read[2]:
            unknown = set(read[2].split(", ")) - defined_in(found[0])
            wrong += [f"{read[1]}: {name}" for name in sorted(unknown)]
    assert not wrong, "\n".join(wrong)


def test_every_module_is_on_the_page() -> None:
    named = {span.partition(":")[0] for span in SPANS}
    missing = [name_of(path) for path in MODULES if path.name != "__init__.py" and name_of(path) not in named]
    assert not missing, "\n".join(missing)


def test_every_python_file_that_a_document_names_is_there() -> None:
    tops = [ROOT / name for name in ("src", "tests", "benchmarks", "scripts", "config")]
    files = [path.as_posix() for top in tops for path in top.rglob("*.py")]
    wrong = []
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for number, line in enumerate(document.read_text("utf-8").splitlines(), start=1):
            for name in re.findall(r"[\w./-]*\w\.py\b", line):
                is_there = any(file.endswith(f"/{name.lstrip('./')}") for file in files)
                wrong += [] if is_there else [f"{document.relative_to(ROOT)}:{number}: {name}"]
    assert not wrong, "\n".join(wrong)
