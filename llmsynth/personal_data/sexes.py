"""Whether a row is about a woman or a man: told by a column, a title, or a text's pronouns."""

from __future__ import annotations

import re

import pyarrow as pa

from llmsynth.personal_data.headings import Heading
from llmsynth.personal_data.name_lists import NAME_WORD, Sex, fold

_HEADINGS = frozenset(
    map(
        fold,
        "sex gender geschlecht sexe sexo genero genre genere sesso geslacht plec pohlavi kon kjonn "
        "cinsiyet пол стать φύλο الجنس جنس מין מגדר लिंग 性别 性別 성별".split(),
    )
)
_SPELLED: dict[Sex, frozenset[str]] = {
    "f": frozenset(
        map(
            fold,
            "f female w woman women weiblich frau femme féminin femenino mujer feminino femminile donna "
            "v vrouw vrouwelijk k kobieta žena kvinna kvinne kadın ж женский жен женщина жіноча "
            "γυναίκα θήλυ أنثى נקבה महिला स्त्री 女 女性 여 여성 여자".split(),
        )
    ),
    "m": frozenset(
        map(
            fold,
            "m male man men männlich mann homme masculin masculino hombre maschile uomo h mannelijk "
            "mężczyzna muž man erkek e м мужской муж мужчина чоловіча άνδρας άρρεν ذكر זכר पुरुष 男 男性 "
            "남 남성 남자".split(),
        )
    ),
}
_TITLED: dict[Sex, frozenset[str]] = {
    "f": frozenset(
        map(
            fold,
            "mrs ms miss frau fr mme mlle madame sra srta señora doña signora mevr pani bayan fru "
            "lady dame countess".split(),
        )
    ),
    "m": frozenset(
        map(
            fold,
            "mr master sir herr hr m monsieur sr señor don sig signor dhr pan bay hrn lord count".split(),
        )
    ),
}
_PRONOUNS: dict[Sex, re.Pattern[str]] = {
    "f": re.compile(r"\b(?:she|her|hers|herself|wom[ae]n|female|lady|girl|mrs|ms|ma'am)\b", re.I),
    "m": re.compile(r"\b(?:he|him|his|himself|m[ae]n|male|gentleman|boy|mr|sir)\b", re.I),
}


def sex_column(table: pa.Table) -> list[Sex | None] | None:
    """The sex of every row by the column that names it; None where no column does."""
    for name, cells in zip(table.column_names, table.itercolumns(), strict=True):
        kind = cells.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            continue
        if _HEADINGS.isdisjoint(Heading(name).words):
            continue
        texts = cells.to_pylist()
        told = [None if text is None else _spelled(text) for text in texts]
        known = sum(text is not None for text in texts)
        if known and sum(sex is not None for sex in told) >= known / 2:
            return told
    return None


def _spelled(text: str) -> Sex | None:
    low = fold(text.strip().rstrip("."))
    return next((sex for sex, words in _SPELLED.items() if low in words), None)


def sex_by_title(text: str) -> Sex | None:
    """The sex that a title in a name tells: "Braund, Mr. Owen"."""
    words = {fold(word) for word in NAME_WORD.findall(text)}
    found = [sex for sex, titles in _TITLED.items() if not words.isdisjoint(titles)]
    return found[0] if len(found) == 1 else None


def sex_by_pronouns(text: str) -> Sex | None:
    """The sex that at least two of three of a text's pronouns and nouns tell."""
    women, men = (len(_PRONOUNS[sex].findall(text)) for sex in ("f", "m"))
    if women > 2 * men:
        return "f"
    return "m" if men > 2 * women else None
