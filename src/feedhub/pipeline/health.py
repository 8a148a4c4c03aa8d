"""Publishing what happened to sources."""

from feedhub.errors import PublishError
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.ports.publishing import OutputWriter, Renderer
from feedhub.ports.store import Store
from feedhub.rules.health_feed import ENTRIES, health_view


def publish_health(
    store: Store, settings: Settings, renderer: Renderer, writer: OutputWriter, *, everything: bool = False
) -> PublishReport:
    """Write the health feed if something happened since it was written, or there is none yet."""
    number = store.health_number()
    path = "feeds/health.atom"
    try:
        if number == store.health_published() and not everything and writer.read(path) is not None:
            return PublishReport()
        view = health_view(settings.site, store.health_events(ENTRIES), hub=settings.output.hub)
        file = renderer.render(view)
        is_written = writer.write(file)
    except PublishError as error:
        return PublishReport(failed=((path, str(error)),))
    store.mark_health_published(number)
    return PublishReport(written=(file.path,) if is_written else (), unchanged=int(not is_written))
