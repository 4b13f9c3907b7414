"""What a column's texts look like: each with its digits as 9, how often, and the ends of each look.

Texts of one outline have their digits in the same places, so the first and the last of them in
the order of characters are also the smallest and the largest number or time of day.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_MOST = 2000


class TextOutlines:
    """Outlines so far; a column of more than 2,000 of them is of words, and none is kept."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str, str]] | None = {}

    @property
    def are_few(self) -> bool:
        """Whether all outlines are known."""
        return self._found is not None

    def add(self, distinct: pa.Array, counts: pa.Array) -> None:
        """Take in distinct texts and how many cells hold each."""
        if self._found is None:
            return
        looks = outline(distinct)
        found = pa.table({"look": looks, "text": distinct, "count": counts}).group_by("look")
        totals = found.aggregate([("count", "sum"), ("text", "min"), ("text", "max")])
        if totals.num_rows > _MOST:
            self._found = None
            return
        for row in totals.to_pylist():
            self._take(row["look"], (row["count_sum"], row["text_min"], row["text_max"]))

    def merge(self, after: TextOutlines) -> None:
        """Take in what was gathered of other cells."""
        if after._found is None:
            self._found = None
        elif self._found is not None:
            for look, item in after._found.items():
                self._take(look, item)

    def _take(self, look: str, item: tuple[int, str, str]) -> None:
        if self._found is None:
            return
        count, low, high = self._found.get(look, (0, *item[1:]))
        self._found[look] = (count + item[0], min(low, item[1]), max(high, item[2]))
        if len(self._found) > _MOST:
            self._found = None

    def ends(self) -> pa.Array:
        """The first and the last text of each outline, distinct."""
        ends = [text for item in (self._found or {}).values() for text in item[1:]]
        return pa.array(dict.fromkeys(ends), pa.string())

    def count_cells(self, texts: Sequence[str]) -> int:
        """How many cells look like one of some texts; exact for texts without digits."""
        looks = set(outline(pa.array(texts, pa.string())).to_pylist())
        return sum((self._found or {}).get(look, (0, "", ""))[0] for look in looks)


def outline(texts: pa.Array) -> pa.Array:
    """Texts with every digit as 9."""
    return pc.replace_substring_regex(texts, "[0-9]", "9")
