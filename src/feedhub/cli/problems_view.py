"""What ``check --json`` says of one problem."""

import re
from typing import Any, Final

# The form that SPEC §2 fixes; a problem of the whole file has no position, one of the file itself no key.
_LINE: Final = re.compile(
    r"(?P<file>.+?):(?:(?P<line>\d+):(?P<column>\d+):)? (?:(?P<key>[\w.\[\]-]+): )?(?P<message>.*)"
)


def problem_json(text: str) -> dict[str, Any]:
    """Return the parts of ``FILE:LINE:COL: key: message``."""
    found = _LINE.fullmatch(text)
    if found is None:
        return {"file": "", "line": 0, "column": 0, "key": "", "message": text}
    return {
        "file": found["file"],
        "line": int(found["line"] or 0),
        "column": int(found["column"] or 0),
        "key": found["key"] or "",
        "message": found["message"],
    }
