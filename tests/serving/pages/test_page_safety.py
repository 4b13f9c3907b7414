"""Every page: its policy, its labels, its addresses."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any


class Outline(HTMLParser):
    """Ids, labels, fields, images and inline code of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self._in_label = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "label":
            self._in_label += 1
            self.labelled.add(str(given.get("for")))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append({**given, "wrapped": "yes" if self._in_label else None})
        if tag == "script" and not given.get("src"):
            self.inline.append("script")
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(f"{tag} {given}")
        self.addresses += [str(given[n]) for n in ("src", "href", "action") if given.get(n)]

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label -= 1


PLAIN = ("/", "/tables", "/synthesizers", "/reports", "/compare", "/evaluate", "/jobs", "/few-shot")
PLAIN += ("/keys", "/audit", "/manual")
OF_A_TABLE = ("", "/rows", "/schema", "/fit", "/rebalance?column=sex", "/impute")


def every_page(browser: Any, table: str) -> list[str]:
    one = browser.office.add_synthesizer(state="ready", path="synthesizers/x/1", table_id=table)
    about = f"/synthesizers/{one.id}"
    return [
        *PLAIN,
        *(f"/tables/{table}{part}" for part in OF_A_TABLE),
        about,
        f"{about}/sample?quota_column=sex",
        "/nowhere",
    ]


def test_every_page_is_safe_complete_and_usable_by_keyboard(browser: Any, table: str) -> None:
    browser.sign_in()
    for path in every_page(browser, table):
        answer = browser.get(path, headers={"Accept": "text/html"})
        assert answer.status_code in (200, 404), (path, answer.status_code)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy, path
        assert "unsafe" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        outline = Outline(answer.text)
        assert outline.inline == [], path
        assert len(outline.ids) == len(set(outline.ids)), path
        assert "content" in outline.ids
        assert 'class="skip" href="#content"' in answer.text
        nameless = [
            field
            for field in outline.fields
            if field.get("id") not in outline.labelled and not field["wrapped"]
        ]
        assert nameless == [], path
        assert all(address.startswith(("/", "?", "#")) for address in outline.addresses), path
        assert answer.text.count("<h1") == 1, path


def test_static_files_may_be_kept_because_their_address_changes(browser: Any) -> None:
    browser.sign_in()
    page = browser.get("/tables").text
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) == 4
    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/../app.py").status_code == 404
