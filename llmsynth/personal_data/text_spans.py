"""Personal data inside free text: what patterns tell, and the names that columns have told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import pairwise

from llmsynth.personal_data.common_words import COMMON_WORDS
from llmsynth.personal_data.kinds import (
    ADDRESS,
    CALLED,
    PATTERNS,
    RECORD_NUMBER,
    Kind,
)
from llmsynth.personal_data.name_lists import (
    NAME_WORD,
    Sex,
    family_names,
    fold,
    given_names,
    script,
    sex_of_given_name,
)
from llmsynth.personal_data.pseudonyms import Pseudonyms
from llmsynth.personal_data.sexes import sex_by_pronouns, sex_by_title

_TEXT_TITLES = (
    r"mr|mrs|ms|miss|mx|dr|prof|doctor|professor|herr|frau|mme|mlle|monsieur|madame|señora?|sra|"
    r"signora?"
)
_WORDS = NAME_WORD.pattern
_TITLED = re.compile(
    rf"\b(?P<title>{_TEXT_TITLES})\b\.?\s+(?P<names>{_WORDS}(?:[ -]{_WORDS}){{0,2}})", re.I
)
_SMALL_TITLES = frozenset({"mr", "mrs", "mx", "dr", "prof", "herr", "frau", "mme", "mlle"})
"""In small letters these stand before names alone; "ms", "miss" and "doctor" do not."""
_CUED = re.compile(
    r"\b(?:my name is|my name's|name is|i am called|is called|named|hi|hello|hey|dear|"
    rf"thanks|thank you),? (?P<names>{_WORDS})",
    re.I,
)
_INTRODUCED = re.compile(
    rf"\bmy name(?: is|'s) (?P<names>{_WORDS}(?: {_WORDS}(?=\W*(?:[.,;!?]|$)))?)", re.I
)
_SHORTEST_NAME = 2
_SHORTEST_VALUE = 5
"""Characters of a cell that is looked for in its row's texts."""
_MARK = 0xF0000
"""First of the private characters that stand for replaced spans until the end."""


class TextReplacer:
    """Replaces personal data in texts, and counts what it replaced by kind.

    Args:
        pseudonyms: the memory that the columns share.
        names: words of the names in the table's columns, in lower case: they are told by their
            row, or where two of them stand together.
    """

    def __init__(self, pseudonyms: Pseudonyms, names: Collection[str] = ()) -> None:
        self._pseudonyms, self._names = pseudonyms, frozenset(names)
        self.counts: Counter[str] = Counter()

    def __call__(
        self,
        text: str,
        own: Collection[str] = (),
        cells: Mapping[str, Kind] | None = None,
        *,
        sex: Sex | None = None,
    ) -> str:
        """The text with its personal data replaced.

        Args:
            own: words of the names in the row's other columns, in lower case.
            cells: the row's other personal cells, which are replaced wherever they stand.
            sex: of the row's person; the text's pronouns tell it where omitted.
        """
        self._made: list[str] = []
        self._sex = sex
        for cell, kind in sorted((cells or {}).items(), key=lambda item: -len(item[0])):
            if (len(cell) >= _SHORTEST_VALUE or kind == "name") and cell in text:
                text = text.replace(cell, self._replaced(kind, cell))
        for kind, pattern, check in PATTERNS:
            text = pattern.sub(lambda m, k=kind, c=check: self._span(m, k, c), text)  # type: ignore[misc]
        text = ADDRESS.sub(lambda m: self._replaced("address", m.group()), text)
        text = CALLED.sub(lambda m: self._part(m, "number", "phone"), text)
        text = RECORD_NUMBER.sub(lambda m: self._part(m, "id", "id"), text)
        text = self._with_names(text, frozenset(own), sex or sex_by_pronouns(text))
        return "".join(self._filled(c) for c in text)

    def _filled(self, character: str) -> str:
        place = ord(character) - _MARK
        return self._made[place] if 0 <= place < len(self._made) else character

    def _span(self, found: re.Match[str], kind: Kind, check: object) -> str:
        text = found.group()
        if callable(check) and not check(text):
            return text
        return self._replaced(kind, text)

    def _part(self, found: re.Match[str], part: str, kind: Kind) -> str:
        start = found.start(part) - found.start()
        return found.group()[:start] + self._replaced(kind, found.group(part))

    def _replaced(self, kind: Kind, text: str) -> str:
        """A character that stands for the replacement, so that nothing finds it once more."""
        self.counts[kind] += 1
        self._made.append(self._pseudonyms.of(kind, text, sex=self._sex))
        return chr(_MARK + len(self._made) - 1)

    def _with_names(self, text: str, own: frozenset[str], sex: Sex | None) -> str:
        spans: dict[tuple[int, int], Sex | None] = {}
        for found in _TITLED.finditer(text):
            start, title = found.start("names"), found.group("title")
            for n, word in enumerate(NAME_WORD.finditer(found.group("names"))):
                is_name = n == 0 and self._follows(word.group(), title)
                if not is_name and not self._may_name(word.group()):
                    break
                spans[start + word.start(), start + word.end()] = sex_by_title(title)
        for found in _CUED.finditer(text):
            if fold(found.group("names")) in given_names() and self._may_name(found.group("names")):
                spans.setdefault(found.span("names"), None)
        for found in _INTRODUCED.finditer(text):
            for word in NAME_WORD.finditer(found.group("names")):
                if not self._is_spelled(word.group()):
                    break
                start = found.start("names")
                spans.setdefault((start + word.start(), start + word.end()), None)
        words = list(NAME_WORD.finditer(text))
        for word, following in pairwise(words):
            is_pair = text[word.end() : following.start()] in (" ", ", ")
            if is_pair and self._is_person(word.group(), following.group()):
                spans.setdefault(word.span(), None)
                spans.setdefault(following.span(), None)
        # Who was named once in a text is named again without a title.
        told = {fold(text[start:end]) for start, end in spans}
        for word in words:
            if fold(word.group()) in told and self._is_spelled(word.group()):
                spans.setdefault(word.span(), None)
            if self._is_own(word.group(), own):
                spans[word.span()] = sex
        if not spans:
            return text
        self.counts["name"] += len(spans)
        out, at = [], 0
        for (start, end), known in sorted(spans.items()):
            if start < at:
                continue
            name = text[start:end]
            own_sex = known or sex_of_given_name(name) or sex
            out += [text[at:start], self._pseudonyms.word(name, sex=own_sex)]
            at = end
        return "".join([*out, text[at:]])

    def _follows(self, word: str, title: str) -> bool:
        """Whether the word after a title is a name."""
        if not word[0].islower():
            return len(word) > 1
        return self._may_name(word) or (
            fold(title) in _SMALL_TITLES and len(word) > 1 and not _is_common(word)
        )

    def _is_own(self, word: str, own: frozenset[str]) -> bool:
        low = fold(word)
        # "Will" is the row's name; "will" may be one, where the row calls him so in small letters.
        is_name = not word[0].islower() or not _is_common(word)
        return len(word) >= _SHORTEST_NAME and low in own and is_name

    def _is_person(self, first: str, second: str) -> bool:
        if not (self._is_spelled(first) and self._is_spelled(second)):
            return False
        low, high = fold(first), fold(second)
        if low in self._names and high in self._names:
            return True
        return (low in given_names() and high in family_names()) or (
            script(first) == "Cyrillic" and low in family_names() and high in given_names()
        )

    def _is_spelled(self, word: str) -> bool:
        """Spelled as names are: begun large, or in small letters when no other word is meant."""
        return len(word) > 1 and (not word[0].islower() or (len(word) > 2 and not _is_common(word)))

    def _may_name(self, word: str) -> bool:
        low = fold(word)
        is_known = low in self._names or low in given_names() or low in family_names()
        return is_known and self._is_spelled(word)


def _is_common(word: str) -> bool:
    return fold(word) in COMMON_WORDS
