"""Takes each defence out in turn and says which tests notice (``make defences``; docs/security.md is the table).

Works in a copy of the checkout, so that nothing here is touched. A defence that no test misses is a fault: exit 1.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
# More than cores, since many of these tests wait.
_COPIES = 4
_MEMORY = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """A piece of code that keeps a guarantee: ``old`` in ``file``, taken out by putting ``new`` for it.

    ``also`` are second lines of the same defence, which must go as well before anything gets in.
    """

    guarantee: str
    file: str
    old: str
    new: str
    tests: str
    also: tuple[tuple[str, str, str], ...] = ()


def _d(guarantee: str, file: str, old: str, new: str, tests: str) -> Defence:
    return Defence(guarantee=guarantee, file=file, old=old, new=new, tests=tests)


DEFENCES = (
    _d(
        "1 refused ranges",
        "fetch/guard.py",
        "        return None if any(each",
        "        return None\n        return None if any(each",
        "tests/fetch/test_fetch_guard.py",
    ),
    _d(
        "1 NAT64",
        "fetch/guard.py",
        '("NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),',
        "",
        "tests/fetch/test_fetch_guard.py",
    ),
    _d(
        "1 checked where connected",
        "fetch/connections.py",
        "if not is_trusted:",
        "if False:",
        "tests/fetch/test_fetch_connections.py",
    ),
    _d(
        "1 the proxy's target",
        "fetch/fetcher.py",
        "self._dialer.check_target(",
        "(lambda *_: None)(",
        "tests/fetch/test_fetch_connections.py",
    ),
    _d(
        "1 names that only a proxy knows",
        "fetch/connections.py",
        "if kind := self._guard.refusal_of_unknown(host, port):",
        "if kind := None:",
        "tests/fetch/test_fetch_connections.py",
    ),
    _d(
        "2 every hop of a redirect",
        "fetch/connections.py",
        "if not is_trusted:",
        "if not is_trusted and False:",
        "tests/fetch/test_fetch_connections.py::test_a_redirect_to_a_private_address_is_refused",
    ),
    _d(
        "2 resolved once and pinned",
        "fetch/connections.py",
        "return _connect(endpoints, host",
        "return _connect(self._resolve(host, port), host",
        "tests/fetch/test_fetch_connections.py",
    ),
    _d(
        "3 schemes at the door",
        "fetch/guard.py",
        'if parts.scheme not in {"http", "https"}:',
        "if False:",
        "tests/fetch/test_fetch_guard.py",
    ),
    _d(
        "3 schemes of redirects",
        "fetch/http.py",
        'if parts.scheme not in {"http", "https"} or not parts.hostname:',
        "if False:",
        "tests/fetch/test_fetch_redirects.py",
    ),
    _d(
        "3 pages and second requests",
        "rules/requests.py",
        "return address if is_web_url(address) else None",
        "return address",
        "tests/rules/test_requests_hostile.py",
    ),
    _d(
        "4 headers over redirects",
        "fetch/fetcher.py",
        "if keeps_credentials(origin, url):",
        "if True:",
        "tests/fetch/test_fetch_redirects.py tests/fetch/test_fetch_connections.py",
    ),
    _d(
        "4 headers of second requests",
        "rules/requests.py",
        "return tuple(pair for pair in detail.headers if pair[0].lower() in _HEADERS_FOR_ANYBODY)",
        "return detail.headers",
        "tests/rules/test_requests_hostile.py",
    ),
    _d(
        "4 secrets in logs",
        "runtime/logs.py",
        "return self._pattern.sub(MASK, text) if self._pattern else text",
        "return text",
        "tests/cli/test_cli_errors.py tests/cli/test_cli_logs.py",
    ),
    _d(
        "4 addresses of notifications from the environment alone",
        "config/load.py",
        "    problems += written_out(file)\n",
        "",
        "tests/config/test_config_forms.py",
    ),
    _d(
        "notifications: services of networks alone",
        "config/schema.py",
        'if text.partition("://")[0].lower() not in NOTIFY_SERVICES:',
        "if False:",
        "tests/config/test_config_forms.py",
    ),
    Defence(
        guarantee="1 notifications: checked where connected",
        file="fetch/notices.py",
        old="            elif kind := guard.refusal(names.get(address[0], address[0]), address[1], address[0]):",
        new="            elif kind := None:",
        tests="tests/fetch/test_fetch_notices.py",
    ),
    _d(
        "notifications: no redirects, no second try",
        "fetch/notices.py",
        "        service.retry, service.redirects = 0, False\n",
        "",
        "tests/fetch/test_fetch_notices.py",
    ),
    _d(
        "notifications: no other program",
        "fetch/notices.py",
        "        elif event in _FORBIDDEN:",
        "        elif False:",
        "tests/fetch/test_fetch_notices.py",
    ),
    _d(
        "notifications: silent libraries",
        "fetch/notices.py",
        "    logging.disable()",
        "    pass",
        "tests/fetch/test_fetch_notices.py",
    ),
    _d(
        "notifications: noted before they are sent",
        "runtime/notifications.py",
        "            self._put(replace(newest, is_sending=True))\n",
        "",
        "tests/runtime/test_notifications.py",
    ),
    _d(
        "notifications: titles call nobody",
        "rules/notices.py",
        "    return _CALLING.sub(",
        "    return line\n    return _CALLING.sub(",
        "tests/rules/test_notices.py",
    ),
    _d(
        "4 secrets of the environment beside the store",
        "config/kept.py",
        "if words.environ:",
        "if False:",
        "tests/config/test_config_kept.py",
    ),
    _d(
        "4 the kept configuration is of this user alone",
        "config/kept.py",
        "if not (is_ours and ",
        "if not (",
        "tests/config/test_config_kept.py",
    ),
    _d(
        "4 no link instead of the kept configuration",
        "config/kept.py",
        "os.O_RDONLY | os.O_NOFOLLOW |",
        "os.O_RDONLY |",
        "tests/config/test_config_kept.py",
    ),
    _d(
        "4 the kept configuration is not published",
        "config/kept.py",
        "folder.is_dir() and not folder.is_relative_to(loaded.output.dir)",
        "folder.is_dir()",
        "tests/config/test_config_kept.py",
    ),
    _d(
        "4 what became of the files of the kept configuration",
        "config/kept.py",
        "if is_whole and made_of == self._made_of(made_of) else",
        "if is_whole else",
        "tests/config/test_config_kept.py",
    ),
    _d(
        "4 passwords in output",
        "publish/entry.py",
        'netloc.rpartition("@")[2]',
        'netloc.replace("@", ".")',
        "tests/publish/test_entry_values.py",
    ),
    _d(
        "5 number of redirects",
        "fetch/http.py",
        "if len(self.hops) == MAX_REDIRECTS:",
        "if False:",
        "tests/fetch/test_fetch_redirects.py",
    ),
    _d(
        "4 cookies of redirects",
        "fetch/http.py",
        "if keeps_credentials(origin, url):",
        "if True:",
        "tests/fetch/test_fetch_redirects.py",
    ),
    _d(
        "5 loops",
        "fetch/http.py",
        "if visit in self._visited:",
        "if False:",
        "tests/fetch/test_fetch_redirects.py",
    ),
    _d(
        "6 the watchdog",
        "fetch/watchdog.py",
        "sock.shutdown(socket.SHUT_RDWR)",
        "pass",
        "tests/fetch/test_fetch_times.py tests/fetch/test_fetch_transfer.py",
    ),
    _d("7 decoded bytes", "fetch/http.py", "if decoded > max_size:", "if False:", "tests/fetch/test_fetch_transfer.py"),
    _d(
        "7 received bytes",
        "fetch/watchdog.py",
        "if self.received > self.most_received:",
        "if False:",
        "tests/fetch/test_fetch_transfer.py",
    ),
    _d(
        "7 gzip files",
        "sources/document.py",
        "unzip.decompress(body, max_size + 1)",
        "unzip.decompress(body)",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "16 two lengths of one request",
        "web/app.py",
        'elif {name for name, _ in scope["headers"]} >= _TWO_LENGTHS:',
        "elif False:",
        "tests/web/test_connections.py",
    ),
    _d(
        "9 two lengths of one answer",
        "fetch/fetcher.py",
        'if "Content-Length" in response.headers and "Transfer-Encoding" in response.headers:',
        "if False:",
        "tests/fetch/test_fetch_transfer.py",
    ),
    _d(
        "6 local files",
        "fetch/local.py",
        "        thread.start()\n",
        "        thread.run()\n",
        "tests/fetch/test_fetch_local.py",
    ),
    _d(
        "8 time of a document",
        "runtime/worker_pool.py",
        "args=(function, *given), timeout=self._timeout",
        "args=(function, *given), timeout=None",
        "tests/runtime/test_parse_pool.py",
    ),
    _d(
        "8 memory of a worker",
        "runtime/worker_pool.py",
        "resource.setrlimit(resource.RLIMIT_AS, (limit, hard))",
        "pass",
        "tests/runtime/test_parse_pool.py",
    ),
    _d(
        "8 quadratic authors",
        "sources/feed/dialects.py",
        "    def _sync_author_detail(self",
        "    def _not_used(self",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "8 records read",
        "sources/feed/dialects.py",
        "if len(self.entries) >= MOST_RECORDS_READ:",
        "if False:",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "8 depth of XML",
        "sources/feed/dialects.py",
        "if depth > _DEEPEST:",
        "if False:",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "8 depth of markup",
        "sources/markup.py",
        "return deepest > _DEEPEST or",
        "return",
        "tests/sources/test_markup.py",
    ),
    _d("8 ampersands", "sources/markup.py", "> _MOST_AMPERSANDS or", "> 10**9 or", "tests/sources/test_markup.py"),
    _d(
        "8 growth of texts",
        "sources/markup.py",
        "or len(clean) > _LONGEST:",
        "or False:",
        "tests/sources/test_markup.py",
    ),
    _d(
        "8 attributes of an element",
        "sources/feed/dialects.py",
        "IndexedAttributes(attributes))",
        "attributes)",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 attributes on the fast way",
        "sources/feed/plain_feed.py",
        "len(node.attrib) > MOST_ATTRIBUTES_PLAIN",
        "False",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 attributes of XHTML on the fast way",
        "sources/feed/plain_elements.py",
        "and len(part.attrib) <= MOST_ATTRIBUTES_PLAIN",
        "",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 prefixes on the fast way",
        "sources/feed/plain_elements.py",
        "if self._listed > MOST_PREFIXES_LISTED:",
        "if False:",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 prefixes of XHTML on the fast way",
        "sources/feed/plain_elements.py",
        "number < most\n        and ",
        "",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 elements read",
        "sources/feed/dialects.py",
        "if parts > _MOST_PARTS:",
        "if False:",
        "tests/sources/test_costly_documents.py -m nightly -k million",
    ),
    _d(
        "8 labels of an item",
        "sources/feed/plain_elements.py",
        "len(tags) < MOST_TAGS_READ and",
        "",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 attributes in markup",
        "sources/markup.py",
        "or has_too_many_attributes(markup):",
        "or False:",
        "tests/sources/test_markup.py",
    ),
    _d(
        "8 attributes in pages",
        "sources/mapped/html_page.py",
        "if has_too_many_attributes(decoded.text):",
        "if False:",
        "tests/sources/test_costly_documents.py",
    ),
    _d(
        "8 records within records",
        "sources/mapped/html_page.py",
        "if around[element] <= _MOST_AROUND]",
        "if True]",
        "tests/sources/test_html_page_hostile.py",
    ),
    _d(
        "8 categories that records bring",
        "pipeline/filing.py",
        "if self._room <= 0:",
        "if False:",
        "tests/pipeline/test_record_categories.py",
    ),
    _d(
        "8 text per item",
        "sources/records.py",
        "value=text.value[:end]",
        "value=text.value",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "9 cut codings",
        "fetch/http.py",
        "if decoder and received and not decoder.is_complete:",
        "if False:",
        "tests/fetch/test_fetch_transfer.py",
    ),
    Defence(
        guarantee="10 entities",
        file="sources/document.py",
        old="head, rest = text[:start], text[doctype.end() if doctype else start :]",
        new='return text\n    head, rest = "", ""',
        tests="tests/sources/test_hostile_documents.py",
        also=(("sources/feed/dialects.py", "self._parser.EntityDeclHandler = _refuse_entity", "pass"),),
    ),
    _d(
        "10 entities in OPML",
        "config/opml.py",
        "if dtd is not None and any(",
        "if False and any(",
        "tests/config/test_opml_import.py",
    ),
    _d(
        "11 allow-list",
        "sources/markup.py",
        "clean = _SANITISER.clean(ready, base)",
        "clean = ready",
        "tests/sources/test_markup.py",
    ),
    _d(
        "11 markup changed by rules",
        "rules/categorize.py",
        "content=clean_again(item.content, item, source)",
        "content=item.content",
        "tests/sources/test_markup.py",
    ),
    _d(
        "11 frames of known players",
        "sources/markup.py",
        "if secure.startswith(_PLAYERS) else None",
        "if address else None",
        "tests/sources/test_markup.py",
    ),
    _d(
        "11 control characters by reference",
        "sources/markup.py",
        "    clean = clean_text(clean)\n",
        "",
        "tests/sources/test_markup.py",
    ),
    _d(
        "12 schemes of links",
        "sources/markup.py",
        'if parts.scheme.lower() not in ("http", "https") or not parts.hostname:',
        "if False:",
        "tests/sources/test_hostile_documents.py",
    ),
    _d(
        "12 schemes in output",
        "publish/entry.py",
        'if parts.scheme not in ("http", "https") or place is None:',
        "if False:",
        "tests/publish/test_entry_values.py",
    ),
    _d(
        "13 titles are text in Atom",
        "publish/atom_rss.py",
        '_element("title", entry.title, ("type", "text"))',
        '_element("title", entry.title, ("type", "html"))',
        "tests/publish/test_rendered_golden.py tests/publish/test_feed_checks.py",
    ),
    _d(
        "13 direction controls",
        "rules/text.py",
        '_BIDI.sub("", clean_text(text))',
        "clean_text(text)",
        "tests/rules/test_text.py",
    ),
    _d("14 texts in posts", "publish/jekyll.py", "finalize=_inert", "", "tests/publish/test_jekyll_posts.py"),
    _d(
        "14 front matter",
        "publish/jekyll.py",
        "environment.filters.update(yaml=quoted",
        "environment.filters.update(yaml=str",
        "tests/publish/test_jekyll_posts.py",
    ),
    _d(
        "15 one line an event",
        "runtime/logs.py",
        "return _UNPRINTABLE.sub(_escaped, text)",
        "return text",
        "tests/cli/test_cli_logs.py",
    ),
    _d(
        "15 JSON on a terminal",
        "cli/screen.py",
        "printable_json(text)",
        "text",
        "tests/cli/test_cli_hostile.py",
    ),
    _d(
        "15 a line is one line",
        "cli/screen.py",
        "_print_line(self.out, self._line(text), style)",
        "_print_line(self.out, self._clean(text), style)",
        "tests/cli/test_cli_hostile.py",
    ),
    _d(
        "15 names in exported OPML",
        "config/opml.py",
        "{category.slug: plain(category.title) for",
        "{category.slug: category.title for",
        "tests/cli/test_cli_hostile.py",
    ),
    _d(
        "16 header fields",
        "web/representation.py",
        '(b"x-content-type-options", b"nosniff"),',
        "",
        "tests/web/test_served_files.py",
    ),
    _d(
        "16 GET and HEAD only",
        "web/files.py",
        'if scope["method"] not in ("GET", "HEAD"):',
        "if False:",
        "tests/web/test_served_files.py",
    ),
    _d(
        "16 slow requests",
        "web/server.py",
        "self._request_timer = self.loop.call_later(self.limits.request, self.transport.abort)",
        "pass",
        "tests/web/test_connections.py",
    ),
    _d(
        "16 out of the folder",
        "web/files.py",
        "if not parent.is_relative_to(root):",
        "if False:",
        "tests/web/test_served_files.py",
    ),
    _d(
        "16 loopback by default",
        "config/schema.py",
        'host: Line = Field(default="127.0.0.1"',
        'host: Line = Field(default="0.0.0.0"',
        "tests/config",
    ),
    _d(
        "17 reserved names",
        "rules/categorize.py",
        "RESERVED_SLUGS: Final = frozenset({",
        "RESERVED_SLUGS: Final = frozenset() and frozenset({",
        "tests/rules/test_categorize_slugs.py",
    ),
    _d(
        "17 out of the folder",
        "publish/files.py",
        "if not Path(known).is_relative_to(root):",
        "if False:",
        "tests/publish/test_files_paths.py",
    ),
    _d(
        "18 one bad record",
        "sources/records.py",
        "        except Exception as exc:  # noqa: BLE001 - hostile input: whatever",
        "        except Unusable as exc:  # noqa: BLE001 - hostile input: whatever",
        "tests/sources",
    ),
    _d(
        "19 forbidden characters",
        "publish/entry.py",
        'return clean_text(_LINE_END.sub("\\n", text) if "\\r" in text else text)',
        "return text",
        "tests/publish/test_entry_values.py",
    ),
    _d(
        "20 ids of our own",
        "publish/entry.py",
        "id=safe_line(stored.id),",
        "id=safe_line(stored.item.guid or stored.id),",
        "tests/publish",
    ),
    _d(
        "11 titles of other reports",
        "publish/atom_rss.py",
        "        title = escape(one.title)\n",
        "        title = one.title\n",
        "tests/publish/test_reports.py",
    ),
    _d(
        "20 an author for the feed",
        "publish/atom_rss.py",
        "    generator.author(name=safe_line(site.author) or safe_line(site.title) or title)\n",
        "",
        "tests/publish",
    ),
    _d(
        "21 replaced in one step",
        "publish/disk.py",
        "            os.replace(self.source, target)\n",
        "            Path(target).write_bytes(Path(self.source).read_bytes())\n            os.unlink(self.source)\n",
        "tests/publish/test_files.py tests/publish/test_files_killed.py",
    ),
    _d(
        "21 held by the disk",
        "publish/files.py",
        "            self._sync(new)\n",
        "            self._sync([])\n",
        "tests/publish/test_files_together.py",
    ),
    _d(
        "21 repaired by the next start",
        "publish/files.py",
        "                self._finish_interrupted()\n",
        "                pass\n",
        "tests/publish/test_files_together.py tests/pipeline/test_folder_state.py",
    ),
    _d(
        "21 one publisher in a folder",
        "publish/files.py",
        "            self._lock.take(Path(_place(*self._target(_LOCK))), self._longest_wait)\n",
        "",
        "tests/publish/test_files_together.py",
    ),
    _d(
        "34 twice in a document",
        "rules/identity.py",
        "if other != own and values_agree(names[other], names[own]):",
        "if False:",
        "tests/rules/test_dedupe.py",
    ),
    _d(
        "34 keys of others are not moved",
        "rules/dedupe.py",
        "if target.owner != self.source:",
        "if False:",
        "tests/rules/test_dedupe_hostile.py",
    ),
    _d(
        "34 addresses tied by others",
        "rules/dedupe.py",
        "KeyStrength.URL in keys and (same_title or before.url_key is None)",
        "KeyStrength.URL in keys",
        "tests/rules/test_dedupe_hostile.py",
    ),
    _d(
        "34 codes tied by others",
        "rules/dedupe.py",
        "if named and not (before and is_imposed(named, before, keyed)):",
        "if named:",
        "tests/rules/test_dedupe_hostile.py",
    ),
    _d(
        "35 keys that do not discriminate",
        "rules/identity.py",
        "    distrusted = _indiscriminate(keyed)",
        "    distrusted = {}",
        "tests/rules/test_dedupe.py",
    ),
    _d(
        "36 migrations",
        "rules/habits.py",
        "return frozenset(found) if enough",
        "return frozenset() if enough",
        "tests/rules/test_dedupe.py tests/rules/test_scenarios.py",
    ),
    _d(
        "37 updated when edited",
        "store/ingest.py",
        "if _is(ingest, Verdict.CHANGED):",
        "if False:",
        "tests/contracts/test_store_contract.py",
    ),
    _d(
        "37 published stays",
        "store/ingest.py",
        '"updated_at": self.stored[ingest.decision.item_id].published_at,',
        '"updated_at": self.now,',
        "tests/contracts/test_store_contract.py",
    ),
    _d("38 dates of the future", "rules/select.py", "> now", "> now and False", "tests/rules/test_select.py"),
    _d(
        "39 an empty document",
        "pipeline/ingest.py",
        "complete = bool(planned.feed.items)",
        "complete = True",
        "tests/pipeline/test_poll.py",
    ),
    _d(
        "40 wrong charsets",
        "sources/charset.py",
        "chosen = _codec(override) or _believed(body, declared) or _detected(body)",
        'chosen = _codec(override) or (declared or ["utf-8"])[0]',
        "tests/sources/test_document.py",
    ),
    _d(
        "41 relative addresses",
        "sources/markup.py",
        "else urljoin(base, text)",
        "else text",
        "tests/sources/test_data_files.py",
    ),
    _d(
        "42 schemes in OPML",
        "config/opml.py",
        'if parts.scheme.lower() not in {"http", "https"}:',
        "if False:",
        "tests/config/test_opml_import.py",
    ),
    _d(
        "23 one daemon, also by a link",
        "store/sqlite.py",
        "self.place = os.path.realpath(named)",
        "self.place = named",
        "tests/e2e/test_daemon_lifecycle.py -k link",
    ),
    _d(
        "4 the password of the store in messages",
        "store/postgresql.py",
        "place = address.render_as_string(hide_password=True)",
        "place = address.render_as_string(hide_password=False)",
        "tests/store/test_postgresql.py -k password",
    ),
    _d(
        "4 the password of the store in a parameter",
        "config/forms.py",
        "if name not in _POSTGRES_PARAMETERS:",
        "if False:",
        "tests/config/test_config_forms.py",
    ),
    _d(
        "4 the password of the store among processes",
        "store/postgresql.py",
        'URL.create("postgresql", given.username, None, given.host',
        'URL.create("postgresql", given.username, given.password, given.host',
        "tests/store/test_postgresql.py -k pg_dump",
    ),
    _d(
        "23 one writer at a time on PostgreSQL",
        "store/postgresql.py",
        "READ COMMITTED; SELECT pg_advisory_xact_lock({_LOCKS}, {_WRITER})",
        "READ COMMITTED",
        "tests/store/test_postgresql.py -k writes_too_long",
    ),
    _d(
        "24 a replaced store",
        "store/sqlite.py",
        "        if _file_id(self._named) == self._known:\n",
        "        if True:\n",
        "tests/store/test_replaced.py",
    ),
    _d(
        "24 the log of a replaced store",
        "store/sqlite.py",
        "            self._put_aside()\n",
        "            pass\n",
        "tests/store/test_replaced.py",
    ),
    _d(
        "24 a full disk at the start",
        "runtime/daemon.py",
        "except FullStoreError as error:",
        "except ZeroDivisionError as error:",
        "tests/e2e/test_survival.py -k full_disk_waits",
    ),
    _d(
        "8 lists of subscriptions: titles",
        "rules/categorize.py",
        "        self._numbers[slug] = number\n",
        "",
        "tests/rules/test_categorize_slugs.py",
    ),
    _d(
        "8 lists of subscriptions: folders",
        "config/opml.py",
        "*folders[-_MOST_FOLDERS:],",
        "*folders,",
        "tests/config/test_opml_import.py",
    ),
    _d(
        "8 growth by rules",
        "rules/patterns.py",
        "        if self._left < 0:\n",
        "        if False:\n",
        "tests/rules/test_categorize.py",
    ),
    _d(
        "configuration: regular files only",
        "config/reading.py",
        "if not stat.S_ISREG(status.st_mode):",
        "if False:",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: names looked at",
        "config/reading.py",
        "                    self.looks -= 1\n",
        "",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: bytes read",
        "config/reading.py",
        "        self.bytes -= len(raw)\n",
        "",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: includes of includes",
        "config/files.py",
        "elif len(self._open) == _DEEPEST_INCLUDE:",
        "elif False:",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: growth by aliases",
        "config/yaml_tree.py",
        "        self._size += len(text)\n",
        "",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: what no check foresaw",
        "config/section.py",
        "            raise ValueError(unexpected(exc)) from exc",
        "            raise",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: what breaks elsewhere",
        "config/load.py",
        "        cause = exc\n",
        "        raise\n",
        "tests/config/test_config_limits.py",
    ),
    _d(
        "configuration: time and memory",
        "runtime/config_loader.py",
        "return pool.run(load_or_say_why, *self._given)",
        "return load_or_say_why(*self._given)",
        "tests/runtime/test_config_loader.py",
    ),
    _d(
        "configuration: what breaks when it is used",
        "runtime/daemon.py",
        '                return unusable(settings.files[0], f"{type(error).__name__}: {error}")',
        "                raise",
        "tests/runtime/test_daemon.py",
    ),
    _d(
        "configuration: time and memory of templates",
        "runtime/rendering.py",
        "made = self._pool.run(_in_worker, render, values)",
        "made = _in_worker(render, values)",
        "tests/runtime/test_rendering.py",
    ),
    _d(
        "configuration: a template that took too long",
        "runtime/rendering.py",
        "            raise PublishError(known)\n",
        "            pass\n",
        "tests/runtime/test_rendering.py",
    ),
    _d(
        "configuration: a save is noticed",
        "runtime/config_loader.py",
        " or time.monotonic() - looked >= _CHECK_MILLISECONDS / 1_000:",
        ":",
        "tests/runtime/test_watch.py",
    ),
    _d(
        "configuration: the fault is told",
        "runtime/daemon.py",
        "            observer.misconfigured(self._fault)",
        "            pass",
        "tests/e2e/test_saved_configurations.py",
    ),
    _d(
        "configuration: a fault restarts nothing",
        "web/app.py",
        "reasons += polling_complaints(self._hub())",
        "reasons += [*polling_complaints(self._hub()), *self._warnings()]",
        "tests/web/test_pages.py",
    ),
    _d(
        "configuration: secrets in what is told",
        "runtime/status.py",
        'problem.message.partition(", found ")[0]',
        "problem.message",
        "tests/e2e/test_saved_configurations.py",
    ),
    _d(
        "16 the public log",
        "store/ledger.py",
        "entries = (_without_words(entry) for entry in told)",
        "entries = told",
        "tests/contracts/test_query_contract.py",
    ),
    _d(
        "16 the public log: what is hidden",
        "store/ledger.py",
        "if hidden.isdisjoint((one.item_id, one.title, one.link))",
        "",
        "tests/contracts/test_query_contract.py",
    ),
    _d(
        "workers: stores only for the host that it has",
        "store/source_states.py",
        """        if found is None:
            raise FencedError""",
        """        if found is None:
            return False
            raise FencedError""",
        "tests/store/test_cluster.py tests/runtime/test_host_polls.py",
    ),
    _d(
        "workers: asks nobody without a lease",
        "runtime/cluster/hosts.py",
        "        if not self.is_held:",
        "        if False:",
        "tests/store/test_cluster.py",
    ),
    _d(
        "workers: guests wait",
        "store/cluster.py",
        "    WHERE known.held_since IS NULL AND known.guest_until",
        "    WHERE known.guest_until",
        "tests/store/test_cluster.py",
    ),
    _d(
        "workers: no secret in the store",
        "config/generation.py",
        "            if place >= 0:",
        "            if False:",
        "tests/e2e/test_workers.py::test_workers_take_up_what_is_applied_and_take_no_work_without_its_variables",
    ),
)


def main() -> int:
    """Print a line for each defence; return 1 if one of them is missed by no test."""
    wanted = tuple(sys.argv[1:])
    defences = [one for one in DEFENCES if not wanted or one.guarantee.startswith(wanted)]
    missed = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_COPIES) as threads:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(_COPIES):
            copies.put(_copy_of_checkout(Path(folder) / str(number)))
        for defence, found in zip(defences, threads.map(partial(_tried, copies), defences), strict=True):
            missed += not found
            told = f"{len(found)} tests, first {found[0]}" if found else "NO TEST NOTICES"
            print(f"{defence.guarantee:40}{defence.file:32}{told}", flush=True)
    return 1 if missed else 0


def _copy_of_checkout(copy: Path) -> Path:
    copy.mkdir()
    for part in ("src", "tests", "config", "pyproject.toml"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / part)
    return copy


def _tried(copies: "SimpleQueue[Path]", defence: Defence) -> list[str]:
    copy = copies.get()
    try:
        return _tests_that_notice(copy, defence)
    finally:
        copies.put(copy)


def _bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _tests_that_notice(copy: Path, defence: Defence) -> list[str]:
    before: dict[Path, str] = {}
    for file, old, new in ((defence.file, defence.old, defence.new), *defence.also):
        path = copy / "src" / "feedhub" / file
        before[path] = text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            sys.exit(f"{defence.guarantee}: {file} holds {old!r} {text.count(old)} times; say here where it is now")
        path.write_text(text.replace(old, new), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--maxfail=3",
        "--tb=no",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
    ]
    try:
        run = subprocess.run(
            [*command, *defence.tests.split()],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            preexec_fn=_bound_memory,
        )
        output = (
            run.stdout if run.returncode >= 0 else f"FAILED (signal {-run.returncode} ends the tests)\n{run.stdout}"
        )
    except subprocess.TimeoutExpired as expired:
        output = "FAILED (the tests hang)\n" + str(expired.stdout or "")
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
    return re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", output, re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
