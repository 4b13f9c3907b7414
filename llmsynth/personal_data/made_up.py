"""Made-up network addresses, streets and days in the shape of real ones."""

from __future__ import annotations

import random
import re
from functools import cache
from typing import TYPE_CHECKING

from llmsynth.personal_data.key_patterns import scrambled
from llmsynth.personal_data.name_lists import script

if TYPE_CHECKING:
    from faker import Faker

_BENCHMARK = "198.18"
"""RFC 2544: of no host on the internet, so that a made-up public address is nobody's."""
_STREETS: tuple[tuple[str, str], ...] = (
    (r"stra(?:ß|ss)e\b|str\.|weg\b|gasse|allee|platz\b", "de_DE"),
    (r"\b(?:rue|boulevard|chemin|impasse|quai)\b", "fr_FR"),
    (r"\b(?:calle|avenida|plaza|paseo)\b", "es_ES"),
    (r"\b(?:via|viale|piazza|corso)\b", "it_IT"),
    (r"straat|laan\b|plein\b|gracht", "nl_NL"),
    (r"\bul\.|ulica|aleja", "pl_PL"),
    (r"\b(?:rua|travessa)\b", "pt_PT"),
    (r"gatan|vägen", "sv_SE"),
    (r"sokak|caddesi|mahallesi", "tr_TR"),
    (r"丁目|番地|[ぁ-ヿ]", "ja_JP"),
    (r"вул\.|вулиця|[іїє]", "uk_UA"),
)
_OF_SCRIPT = {
    "Cyrillic": "ru_RU",
    "Greek": "el_GR",
    "Arabic": "ar_EG",
    "Hebrew": "he_IL",
    "Devanagari": "hi_IN",
    "Hangul": "ko_KR",
    "Han": "zh_CN",
    "Kana": "ja_JP",
}


@cache
def _faker(locale: str) -> Faker:
    from faker import Faker

    return Faker(locale)


def address(text: str, draw: random.Random) -> str:
    """A street of the text's language and a number; with a town where the text has a comma."""
    low = text.lower()
    locale = next((own for form, own in _STREETS if re.search(form, low)), None)
    faker = _faker(locale or _OF_SCRIPT.get(script(text), "en_US"))
    faker.seed_instance(draw.randrange(1 << 62))
    is_street = not re.search(r"[,\n]", text) and script(text) not in ("Han", "Kana", "Hangul")
    new = str(faker.street_address() if is_street else faker.address())
    new = new.replace("\n", "\n" if "\n" in text else ", ")
    return new.upper() if text.isupper() else new.lower() if text.islower() else new


def network_address(text: str, draw: random.Random) -> str:
    """A private address for a private one, in the same network; a reserved one for any other.

    Of version 6, groups that are zero or a prefix stay.
    """
    if ":" in text:
        groups = text.split(":")
        kept = 2 if text[:2].lower() in ("fe", "fd", "fc", "20") else 1
        new = [
            group if n < kept or not group else f"{draw.randrange(1, 1 << 16):x}"
            for n, group in enumerate(groups)
        ]
        return ":".join(new)
    parts = text.split(".")
    kept = _private_parts(parts)
    if kept == 0:
        return f"{_BENCHMARK}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
    tail = [draw.randrange(1 if n == 3 else 0, 255) for n in range(kept, 4)]
    return ".".join([*parts[:kept], *map(str, tail)])


def _private_parts(parts: list[str]) -> int:
    """Leading parts that name a network of no use outside it (RFC 1918, 5735); 0: a public one."""
    if parts[0] in ("10", "127"):
        return 1
    is_private = parts[:2] in (["192", "168"], ["169", "254"], ["198", "18"])
    return 2 if is_private or (parts[0] == "172" and 16 <= int(parts[1]) <= 31) else 0


def hardware_address(text: str, draw: random.Random) -> str:
    """A locally administered one (bit 1 of the first byte), which no maker gives to a device."""
    groups = re.split(r"[:-]", text)
    sign = text[len(groups[0])]
    values = [(draw.randrange(256) & 0xFE) | 0x02, *(draw.randrange(256) for _ in groups[1:])]
    new = sign.join(f"{value:02x}" for value in values)
    return new.upper() if text.upper() == text else new


def other_day(text: str, draw: random.Random) -> str:
    """Another day of the same year; day and month both up to 12, so that either order is one."""
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}{draw.randint(1, 12):02d}{draw.randint(1, 12):02d}"
    return re.sub(
        r"(?<!\d)\d{1,2}(?!\d)",
        lambda m: f"{draw.randint(10 if len(m[0]) > 1 else 1, 12 if len(m[0]) > 1 else 9)}",
        text,
        count=2,
    )


def web_address(text: str, draw: random.Random) -> str:
    """The same kind of address on a host that RFC 2606 reserves."""
    found = re.match(r"(\w+://)?([^/]+)(.*)", text, re.S)
    if found is None:
        return scrambled(text, draw)
    path = re.sub(r"[^/?=&]*\d[^/?=&]*|[^/?=&]+$", lambda m: scrambled(m[0], draw), found[3])
    return f"{found[1] or ''}example.org{path}"
