"""Kinds of personal data, and how a text of each kind looks; nothing here asks a model."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from llmsynth.personal_data.name_lists import fold
from llmsynth.schema.personal_kinds import KINDS, NOT_PERSONAL, Kind, declared_kind

__all__ = ["KINDS", "NOT_PERSONAL", "Kind", "declared_kind"]

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"(?<![\d.-])\d{4}[ -]?\d{4,6}[ -]?\d{4,5}(?:[ -]?\d{1,4})?(?![\d.-])")
MAC = re.compile(
    r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])"
)
IP = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
SIXTH_VERSION = re.compile(
    r"(?=.*::|(?:[^:]*:){7})(?=.*[0-9a-f])[0-9a-f]{0,5}(?::[0-9a-f]{0,5}){2,7}(?:/\d{1,3})?", re.I
)
"""Also with groups of a digit too many, as people invent them."""
# A plus, brackets or at least two groups: a bare number is a quantity more often than a phone.
PHONE = re.compile(
    r"(?<![\w+./-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}"
    r"|(?:00?\d{1,2}[ .-])?(?:\(\d{2,5}\) ?\d{3,4}[ .-]?\d{3,5}|\d{3,5}[ .-]\d{3,4}[ .-]\d{3,5}))"
    r"(?:\s?x\d{1,5})?(?![\w-])"
)
ADDRESS = re.compile(
    r"\b\d{1,5}[A-Za-z]?,? (?:[A-Z][\w.'-]* ){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|"
    r"Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Highway|Hwy|Parkway|Pkwy|Crescent|"
    r"Close|Row|Trail|Circle|Alley)\b\.?(?:,? (?:Apt|Suite|Unit|Flat)\.? \w+)?"
)
RECORD_NUMBER = re.compile(
    r"\b(?:MRN|SSN|NHS|DOB#|(?:[Pp]atient|[Mm]ember|[Aa]ccount|[Pp]olicy|[Rr]ecord|[Cc]ase) "
    r"(?:ID|Id|id|[Nn]o\.?|[Nn]umber|#))[:# ]*(?P<id>(?=[A-Z0-9-]*\d)[A-Z0-9][A-Z0-9-]{3,})"
)
CALLED = re.compile(
    r"\b(?:call(?:ed)?|phone|telephone|tel|mobile|cell|fax)\b(?: (?:number|no\.?))?\W{1,3}"
    r"(?:(?:at|is|on|was) )?(?P<number>\d{7,13})(?!\w)",
    re.I,
)


def is_card(text: str) -> bool:
    """Whether the digits pass Luhn's check (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the check digits fit (ISO 13616, remainder 1 modulo 97)."""
    plain = text.replace(" ", "").upper()
    if not 15 <= len(plain) <= 34 or not plain.isalnum() or not plain.isascii():
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_ip(text: str) -> bool:
    """Whether it is an address of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_phone(text: str) -> bool:
    """Whether it has the digits of a phone number and is no date."""
    digits = sum(c.isdigit() for c in text)
    return 7 <= digits <= 15 and not re.match(r"(?:19|20)\d\d[ .-]|\d\d?[ .-]\d\d?[ .-]\d{4}", text)


PATTERNS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("email", EMAIL, None),
    ("iban", IBAN, is_iban),
    ("credit card", CARD, is_card),
    ("social security", SOCIAL_SECURITY, None),
    ("mac", MAC, None),
    ("ip", IP, is_ip),
    ("phone", PHONE, is_phone),
)
"""What a text is searched for, the surest first."""


def whole(kind: Kind, text: str) -> bool:
    """Whether a whole cell is of a kind that a pattern tells."""
    if kind == "address":
        return ADDRESS.match(text) is not None
    if kind == "ip":
        return is_ip(text) or SIXTH_VERSION.fullmatch(text) is not None
    for own, pattern, check in PATTERNS:
        if own == kind:
            found = pattern.fullmatch(text) is not None
            return found and (check is None or check(text))
    return False


TITLES = (
    *("Mr", "Mrs", "Ms", "Miss", "Mx", "Dr", "Prof", "Doctor", "Professor", "Master", "Rev", "Sir"),
    *("Herr", "Frau", "Hr", "Fr", "M", "Mme", "Mlle", "Monsieur", "Madame", "Sr", "Sra", "Srta"),
    *("Señor", "Señora", "Don", "Doña", "Sig", "Signor", "Signora", "Dott", "Dhr", "Mevr", "Pan"),
    *("Pani", "Bay", "Bayan", "Fru", "Hrn", "Mag", "Ing"),
)
"""What stands before a name and is no part of it."""
LOW_TITLES = frozenset(fold(title) for title in TITLES)
