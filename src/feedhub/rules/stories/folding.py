"""Which reports an output lists, and under which of them others are folded."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from feedhub.model.story import Fold, Report, StoryChoice, StorySettings
from feedhub.rules.stories.features import DIGESTS, is_digest


def belongs_to_stories(title: str, source: str, settings: StorySettings) -> bool:
    """Tell whether the story of an item is to be found: not of digests, nor of what the configuration leaves out."""
    if any(fnmatchcase(source, pattern) for pattern in settings.never_sources):
        return False
    return not is_digest(title, (*DIGESTS, *settings.never_titles))


def folds_of(reports: Iterable[Report], settings: StorySettings) -> tuple[Fold, ...]:
    """Return what outputs do not list of new reports: what an output listed once is never folded.

    Of several new reports, of which none is listed yet, the one of the source that is preferred most is.
    """
    groups: defaultdict[tuple[str, str, int], list[Report]] = defaultdict(list)
    for report in reports:
        for output in report.outputs:
            choice = settings.choice_for(output)
            if folds(choice):
                kind, number = ("story", report.story) if choice.same_event == "group" else ("text", report.text)
                groups[output, kind, number].append(report)
    return tuple(fold for (output, *_), group in sorted(groups.items()) for fold in _folded(output, group, settings))


def folds(choice: StoryChoice) -> bool:
    """Tell whether an output lists only one report of several."""
    return choice.reprints == "once" or choice.same_event == "group"


def _folded(output: str, group: Sequence[Report], settings: StorySettings) -> Iterable[Fold]:
    new = [report for report in group if report.is_new]
    if not new:
        return ()
    first = min(new, key=lambda report: (_preference(report, settings), report.number)).number
    shown = min((report.number for report in group if not report.is_new), default=first)
    return (Fold(output=output, number=one.number, shown=shown) for one in new if one.number != shown)


def _preference(report: Report, settings: StorySettings) -> int:
    matching = (at for at, pattern in enumerate(settings.prefer) if fnmatchcase(report.source, pattern))
    return next(matching, len(settings.prefer))
