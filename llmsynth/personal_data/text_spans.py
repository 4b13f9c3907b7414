"""Personal data inside free text: what patterns tell, and the names that columns have told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from llmsynth.personal_data.kinds import (
    ADDRESS,
    CALLED,
    PATTERNS,
    RECORD_NUMBER,
    TITLES,
    Kind,
)
from llmsynth.personal_data.name_lists import family_names, fold, given_names
from llmsynth.personal_data.pseudonyms import Pseudonyms

_TITLED = re.compile(
    rf"\b(?:{'|'.join(TITLES)})\b\.?\s+"
    r"(?P<names>[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){0,2})"
)
_CAPITALISED = re.compile(r"\b[A-Z][^\W\d_]+(?:['’-][^\W\d_]+)*\b")
_ANY_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
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
        self, text: str, own: Collection[str] = (), cells: Mapping[str, Kind] | None = None
    ) -> str:
        """The text with its personal data replaced.

        Args:
            own: words of the names in the row's other columns, in lower case.
            cells: the row's other personal cells, which are replaced wherever they stand.
        """
        self._made: list[str] = []
        for cell, kind in sorted((cells or {}).items(), key=lambda item: -len(item[0])):
            if len(cell) >= _SHORTEST_VALUE and cell in text:
                text = text.replace(cell, self._replaced(kind, cell))
        for kind, pattern, check in PATTERNS:
            text = pattern.sub(lambda m, k=kind, c=check: self._span(m, k, c), text)  # type: ignore[misc]
        text = ADDRESS.sub(lambda m: self._replaced("address", m.group()), text)
        text = CALLED.sub(lambda m: self._part(m, "number", "phone"), text)
        text = RECORD_NUMBER.sub(lambda m: self._part(m, "id", "id"), text)
        text = self._with_names(text, frozenset(own))
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
        self._made.append(self._pseudonyms.of(kind, text))
        return chr(_MARK + len(self._made) - 1)

    def _with_names(self, text: str, own: frozenset[str]) -> str:
        spans: set[tuple[int, int]] = set()
        for found in _TITLED.finditer(text):
            start = found.start("names")
            for n, word in enumerate(_CAPITALISED.finditer(found.group("names"))):
                if n == 0 or self._may_name(word.group()):
                    spans.add((start + word.start(), start + word.end()))
        words = list(_CAPITALISED.finditer(text))
        for n, word in enumerate(words):
            following = words[n + 1] if n + 1 < len(words) else None
            is_pair = following is not None and text[word.end() : following.start()] == " "
            if is_pair and following is not None and self._is_person(word, following):
                spans |= {word.span(), following.span()}
        spans |= {w.span() for w in _ANY_WORD.finditer(text) if self._is_own(w.group(), own)}
        if not spans:
            return text
        self.counts["name"] += len(spans)
        out, at = [], 0
        for start, end in sorted(spans):
            out += [text[at:start], self._pseudonyms.word(text[start:end])]
            at = end
        return "".join([*out, text[at:]])

    def _is_own(self, word: str, own: frozenset[str]) -> bool:
        return len(word) >= _SHORTEST_NAME and word[0].isupper() and word.lower() in own

    def _is_person(self, first: re.Match[str], second: re.Match[str]) -> bool:
        low, high = fold(first.group()), fold(second.group())
        if low in self._names and high in self._names:
            return True
        return low in given_names() and high in family_names()

    def _may_name(self, word: str) -> bool:
        low = fold(word)
        return low in self._names or low in given_names() or low in family_names()
