"""What the formats wrote of each item: an item stands in many documents, and is written once.

What one publish showed is kept for the next one, which mostly shows the same, unless it was much: the first publish of
a store, or one of a long archive.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from feedhub.model.item import StoredItem
from feedhub.model.output import FeedFormat, OutputView
from feedhub.publish.entry import Entry, entry_of

MOST: Final = 64_000_000
"""Bytes that are kept during a publish. What does not fit is written anew for every document."""
MOST_BETWEEN: Final = 8_000_000
"""Bytes that are kept until the next one; if there are more, none are."""

_Key = tuple[str, int]
_Texts = dict[FeedFormat, bytes]


@dataclass(slots=True)
class EntryTexts:
    """Shared by the renderers of all formats of one site, with one configuration."""

    most_between: int = MOST_BETWEEN
    _texts: dict[_Key, _Texts] = field(default_factory=dict)
    _earlier: dict[_Key, _Texts] = field(default_factory=dict)
    _shown: tuple[OutputView | None, list[_Texts]] = (None, [])
    _size: int = 0

    def begin(self) -> None:
        """Begin another publish."""
        self._earlier = self._texts if self._size <= self.most_between else {}
        self._texts, self._size, self._shown = {}, 0, (None, [])

    def of(self, view: OutputView, kind: FeedFormat, write: Callable[[Entry], bytes]) -> list[bytes]:
        """Return the items of ``view`` as ``write`` writes them in the format ``kind``, in their order."""
        if self._shown[0] is not view:
            self._shown = view, [self._kept(stored) for stored in view.items]
        return [
            self._text(texts, stored, view, kind, write)
            for texts, stored in zip(self._shown[1], view.items, strict=True)
        ]

    def _kept(self, stored: StoredItem) -> _Texts:
        # Not by the item itself: its texts would be kept once more.
        key = stored.id, hash(stored)
        texts = self._texts.get(key)
        if texts is None:
            texts = self._texts[key] = self._earlier.pop(key, {})
            self._size += sum(map(len, texts.values()))
        return texts

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
