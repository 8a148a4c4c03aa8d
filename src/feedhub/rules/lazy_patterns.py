"""Regular expressions that are compiled when they are first used: to compile all takes longer than many commands."""

import re
from typing import Any, AnyStr, cast


class _LazyPattern:
    """Has the methods of a compiled expression, each from when it is first asked for."""

    def __init__(self, expression: str | bytes, flags: int) -> None:
        self.pattern = expression
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self.pattern, self._flags), name)
        setattr(self, name, value)
        return value


def lazy_pattern(expression: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what ``re.compile`` would return, not compiled yet."""
    return cast(re.Pattern[AnyStr], _LazyPattern(expression, flags))
