"""What the formats wrote of each item during one publish: an item stands in many documents, and is written once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from feedhub.model.item import StoredItem
from feedhub.model.output import FeedFormat, OutputView
from feedhub.publish.entry import Entry, entry_of

MOST: Final = 64_000_000
"""Bytes that are kept. What does not fit is written anew for every document."""

_Key = tuple[str, int]
_Texts = dict[FeedFormat, bytes]


@dataclass(slots=True)
class EntryTexts:
    """Shared by the renderers of all formats of one site, for one publish."""

    _texts: dict[_Key, _Texts] = field(default_factory=dict)
    _shown: tuple[OutputView | None, list[_Texts]] = (None, [])
    _size: int = 0

    def of(self, view: OutputView, kind: FeedFormat, write: Callable[[Entry], bytes]) -> list[bytes]:
        """Return the items of ``view`` as ``write`` writes them in the format ``kind``, in their order."""
        if self._shown[0] is not view:
            # Not by the item itself: its texts would be kept once more.
            self._shown = view, [self._texts.setdefault((stored.id, hash(stored)), {}) for stored in view.items]
        return [
            self._text(texts, stored, view, kind, write)
            for texts, stored in zip(self._shown[1], view.items, strict=True)
        ]

    def _text(
        self, texts: _Texts, stored: StoredItem, view: OutputView, kind: FeedFormat, write: Callable[[Entry], bytes]
    ) -> bytes:
        text = texts.get(kind)
        if text is None:
            text = write(entry_of(stored, view.content, view.site.language))
            if self._size < MOST:
                texts[kind] = text
                self._size += len(text)
        return text
