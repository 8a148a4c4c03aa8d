"""Changes single values in the text of a YAML file: every other character stays as it was written.

What comes out is read again and compared with what was meant, so that a file that is written in an unforeseen way is
left alone instead of spoilt. Why no library writes the file anew: docs/decisions/0016-yaml-is-edited-in-place.md.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from feedhub.config.yaml_tree import Path, Value, read_tree

_GONE: Final = object()
_BREAK: Final = re.compile(r"\r\n|\n|\r")


class CannotEditError(Exception):
    """A place is written in a way in which it cannot be changed alone; the text continues "it cannot be …"."""


def with_value(text: str, path: Path, value: object) -> str:
    """Return ``text`` with ``value`` at ``path``: in place of what is there, as a new key, or at the end of a list.

    Raises:
        CannotEditError: nothing else can be kept as it is.
    """
    return _checked(text, path, value, _put)


def without_value(text: str, path: Path) -> str:
    """Return ``text`` without the key or the entry of a list at ``path``; raises as ``with_value`` does."""
    return _checked(text, path, _GONE, lambda given, where, _: _drop(given, where))


def as_yaml(value: object) -> str:
    """Return a value in YAML: mappings and lists in lines, the innermost of them in one line."""
    return _dumped(_Lines(value), flow=None)


@dataclass(frozen=True, slots=True)
class _Lines:
    """A mapping or a list that is written with a line for each of its parts."""

    value: Any


class _Dumper(yaml.SafeDumper):
    """Writes lists inside of mappings further to the right than their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """See PyYAML."""
        super().increase_indent(flow, False)

    def in_lines(self, lines: _Lines) -> yaml.Node:
        """Return the node of a mapping or a list in lines; so are mappings that are entries of the list."""
        if isinstance(lines.value, list):
            parts = [_Lines(part) if isinstance(part, dict) else part for part in lines.value]
            return self.represent_sequence("tag:yaml.org,2002:seq", parts, flow_style=False)
        return self.represent_mapping("tag:yaml.org,2002:map", lines.value.items(), flow_style=False)


_Dumper.add_representer(_Lines, _Dumper.in_lines)


def _dumped(value: object, *, flow: bool | None) -> str:
    return str(
        yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10**9, default_flow_style=flow)
    )


def _checked(text: str, path: Path, value: object, edit: Any) -> str:
    before = read_tree(text)
    try:
        after = edit(text, path, value)
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise CannotEditError(str(error)) from error
    found = read_tree(after)
    empties: tuple[object, ...] = (None, [])
    meant = [_meant(before.value, path, value, empty) for empty in empties]
    if before.faults or found.faults or found.value not in meant:
        raise CannotEditError("changed without changing more")
    return str(after)


def _meant(tree: Value, path: Path, value: object, empty: object) -> object:
    """Return what is to be read after an edit; ``empty`` is a list that loses its last part."""
    if not path:
        return read_tree(f"- {_in_one_line(value)}").value[0]  # type: ignore[index]
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        parts = list(tree) if isinstance(tree, list) else []
        is_gone = not rest and value is _GONE
        inner = None if is_gone else _meant(parts[part] if part < len(parts) else None, rest, value, empty)
        parts[part : part + 1] = [] if is_gone else [inner]  # type: ignore[list-item]
        return parts or empty
    keys: dict[str, Any] = dict(tree) if isinstance(tree, dict) else {}
    if not rest and value is _GONE:
        del keys[part]
    else:
        keys[part] = _meant(keys.get(part), rest, value, empty)
    return keys


def _put(text: str, path: Path, value: object) -> str:
    root = _composed(text)
    node: Any = root
    for number, part in enumerate(path):
        inner = _child(node, part)
        if inner is None or (_is_nothing(inner) and path[number + 1 :]):
            for missing in reversed(path[number + 1 :]):
                value = [value] if isinstance(missing, int) else {missing: value}
            return _replaced(text, inner, value) if inner is not None else _added(text, node, part, value)
        node = inner
    return _replaced(text, node, value)


def _composed(text: str) -> Any:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.compose(text, Loader=loader)


def _child(node: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return node.value[part] if isinstance(node, yaml.SequenceNode) and part < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((inner for key, inner in node.value if key.value == part), None)


def _is_nothing(node: Any) -> bool:
    return not node.value or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def _is_block(node: Any) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _added(text: str, node: Any, part: str | int, value: object) -> str:
    """Return ``text`` with a new key in a mapping, or a new entry of a list, which is ``node``."""
    if node is None:
        return _after(text, len(text.rstrip()), as_yaml({part: value}), 0)
    entry = [value] if isinstance(part, int) else {part: value}
    if not _is_block(node):
        end = node.end_mark.index - 1
        inside = text[node.start_mark.index + 1 : end].rstrip()
        at = node.start_mark.index + 1 + len(inside)
        comma = ", " if inside and not inside.endswith(",") else ""
        return text[:at] + comma + _in_one_line(entry)[1:-1] + text[at:]
    last = node.value[-1]
    if not isinstance(part, int):
        # Beside the name of a source, so that what is told of it stands together.
        last = next((pair for pair in node.value if pair[0].value == "name"), last)
        column = node.value[0][0].start_mark.column
        return _after(text, max(_end(text, last[0]), _end(text, last[1])), as_yaml(entry), column)
    column = node.start_mark.column
    return _after(text, _end(text, last), as_yaml(entry), column)


def _replaced(text: str, node: Any, value: object) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if _is_block(node) or (isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")):
        raise ValueError("replaced, since it has several lines")
    is_long = isinstance(value, list | dict) and any(isinstance(part, list | dict) for part in _parts(value))
    if is_long and _is_nothing(node):
        line = text[text.rfind("\n", 0, start) + 1 : start]
        column = len(line) - len(line.lstrip(" ")) + 2
        return _after(text[:start].rstrip(" ") + text[end:], start, as_yaml(value), column)
    gap = " " if start == end and text[start - 1 : start] not in ("", " ", "\n") else ""
    return text[:start] + gap + _in_one_line(value) + text[end:]


def _parts(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


def _in_one_line(value: object) -> str:
    # A list around it, so that a text is written as it must be between commas and brackets.
    return _dumped([value], flow=True).strip()[1:-1]


def _drop(text: str, path: Path) -> str:
    node: Any = _composed(text)
    for part in path[:-1]:
        node = _child(node, part)
    last = path[-1]
    if isinstance(node, yaml.SequenceNode):
        target = node.value[last]
        start, end = target.start_mark.index, _end(text, target)
    else:
        key, target = next(pair for pair in node.value if pair[0].value == last)
        start, end = key.start_mark.index, max(_end(text, key), _end(text, target))
    if not _is_block(node):
        return _without_span(text, start, end)
    if isinstance(node, yaml.SequenceNode):
        start = text.rindex("-", 0, start)
        if text[start + 1 : target.start_mark.index].strip():
            raise ValueError("taken out, since something stands before it")
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():
        raise ValueError("taken out, since it shares its line")
    return _without_lines(text, line, end, node.start_mark.column)


def _without_span(text: str, start: int, end: int) -> str:
    """Take a part of a flow collection out, with the comma after or else before it."""
    after = re.compile(r"\s*,\s*").match(text, end)
    if after:
        return text[:start] + text[after.end() :]
    return re.sub(r",?\s*\Z", "", text[:start]) + text[end:]


def _without_lines(text: str, start: int, end: int, column: int) -> str:
    """Take whole lines out, with the comments below them that stand further to the right: they belong to them."""
    end = _line_end(text, end)
    while (match := re.compile(r"( *)#[^\r\n]*(?:\r\n|\n|\r|\Z)").match(text, end)) and len(match[1]) > column:
        end = match.end()
    is_after_blank = start == 0 or re.search(r"\n[ \t]*\r?\n\Z", text[:start]) is not None
    if is_after_blank and (blank := re.compile(r"[ \t]*(?:\r\n|\n|\r)").match(text, end)):
        end = blank.end()
    return text[:start] + text[end:]


def _end(text: str, node: Any) -> int:
    """Return where the last character of a node ends: the mark of a block stands behind the comments after it."""
    if _is_block(node):
        parts = [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
        # An alias is the node that it repeats, which stands above.
        inside = [_end(text, part) for part in parts if part.start_mark.index >= node.start_mark.index]
        return max([int(node.start_mark.index), *inside])
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return start + len(text[start:end].rstrip())
    return end


def _line_end(text: str, at: int) -> int:
    match = _BREAK.search(text, at)
    return match.end() if match else len(text)


def _after(text: str, at: int, lines: str, column: int) -> str:
    """Return ``text`` with ``lines`` below the line of ``at``, moved to the right."""
    first = _BREAK.search(text)
    line_break = first.group() if first else "\n"
    moved = line_break.join(" " * column + line for line in lines.rstrip("\n").split("\n")) + line_break
    end = _line_end(text, at)
    before = text[:end]
    if before and not before.endswith(("\n", "\r")):
        before += line_break
    return before + moved + text[end:]
