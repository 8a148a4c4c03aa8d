"""A store that tells stories, for tests of what is found and listed."""

from dataclasses import replace
from datetime import timedelta

from feedhub.model.identity import Verdict
from feedhub.model.story import StoryChoice, StorySettings, ToldStory
from feedhub.pipeline.stories import StoryTeller, sync_stories
from feedhub.ports.store import Store
from feedhub.rules.stories.features import sketch_of, story_features
from support.builders import NOW, ingest, item_id, put

FERRY = (
    "The ferry Northern Star ran aground off the island of Kelsay early on Monday with 214 passengers aboard. All of "
    "them were taken off by lifeboats within three hours, the coastguard said. The ship struck a sandbank in thick fog."
)
RESCUE = (
    "Wrapped in blankets, passengers of the Northern Star spoke of calm aboard as lifeboats came out of the fog off "
    "Kelsay. The ferry lies on a sandbank; Kelsay Lines hopes to float it at high tide."
)
MUSEUM = "A museum of four hundred clocks opened in the old customs house of Velden. Its founder winds each of them."
AGROUND, SAVED = (
    "Ferry Northern Star runs aground off Kelsay, all rescued",
    "Passengers saved from stranded ship in fog",
)
TOLD = "Kelsay ferry aground: how 214 passengers of Northern Star were rescued"
ONCE = StorySettings()
GROUPED = StorySettings(choice=StoryChoice(same_event="group"))
HOUR = timedelta(hours=1)


class Place:
    """A store that tells stories."""

    def __init__(self, store: Store, settings: StorySettings = ONCE) -> None:
        self.store = store
        self.configure(settings)

    def configure(self, settings: StorySettings) -> None:
        """Tell stories as these settings say."""
        sync_stories(self.store, settings, NOW)
        self.teller = StoryTeller(settings)

    def put(self, number: int, title: str, text: str, *, slugs: tuple[str, ...] = ("tech",), hours: int = 0) -> None:
        """Store an item of a source of its own, named by its number."""
        self.put_bare(number, title, text, slugs=slugs, hours=hours, sketch=sketch_of(story_features(title, text)))

    def put_bare(
        self,
        number: int,
        title: str,
        text: str,
        *,
        slugs: tuple[str, ...] = ("tech",),
        hours: int = 0,
        sketch: bytes | None = None,
        verdict: Verdict = Verdict.NEW,
    ) -> None:
        source, at = f"s{number}", NOW + hours * HOUR
        record = ingest(
            number, source, verdict, title=title, slugs=slugs, published_at=at, wording={"content": f"<p>{text}</p>"}
        )
        put(self.store, replace(record, sketch=sketch), source=source, now=at)

    def decide(self) -> None:
        """Find the stories of what was stored."""
        self.teller.decide(self.store)

    def listed(self, slug: str = "all") -> list[int]:
        """Return the numbers of the items that an output lists, in their order."""
        found = self.store.newest(slug, 50)
        assert len(found) == min(50, self.store.count_between(slug, NOW - HOUR, NOW + 1000 * HOUR))
        return sorted(int(item.id[-12:], 16) for item in found)

    def named(self, slug: str = "all") -> dict[int, list[int]]:
        """Return which others each item names that an output lists."""
        return {
            int(item.id[-12:], 16): [int(one.item_id[-12:], 16) for one in item.reports]
            for item in self.store.newest(slug, 9)
        }

    def story(self, number: int) -> ToldStory:
        return self.store.story_of(item_id(number))

    def members(self, number: int) -> list[tuple[int, str]]:
        return [(int(one.item_id[-12:], 16), one.how) for one in self.story(number).members]
