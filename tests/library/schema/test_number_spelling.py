"""Numbers as tables spell them: read as numbers, written back byte for byte."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import SchemaError
from llmsynth.schema import NumberColumn
from llmsynth.schema.number_guesses import guess_numbers
from llmsynth.schema.number_spelling import Affixes, NumberSpelling, number_spelling

READ = [
    ("$#,##0.00;($#,##0.00)", "$1,234.50", "1234.5"),
    ("$#,##0.00;($#,##0.00)", "($3.00)", "-3"),
    ("#.##0,00 €", "-1.234,50 €", "-1234.5"),
    ("000000", "000105", "105"),
    ("0.##", "-0.25", "-0.25"),
    ("#.00", "-.75", "-0.75"),
    ("0.00E+00", "3.50E-05", "0.000035"),
    ("#''##0", "1'250'000", "1250000"),
    ("0.0%", "12.5%", "12.5"),
    ("+0;-0", "+5", "5"),
    ("'#0'0", "#07", "7"),
    ("0.00;0.00-", "1.50-", "-1.5"),
    ("@r", "1e-04", "0.0001"),
    ("@r", "0.0022", "0.0022"),
    ("@r", "1e+05", "100000"),
    ("@python", "3.5e-05", "0.000035"),
    ("@python", "21.0", "21"),
    ("@g3", "3.71e+03", "3710"),
]


@pytest.mark.parametrize(("pattern", "text", "plain"), READ)
def test_a_text_is_read_and_written_by_its_pattern(pattern: str, text: str, plain: str) -> None:
    spelling = number_spelling(pattern)
    assert spelling.read(text) == plain
    assert spelling.write(plain) == text
    assert spelling.pattern == pattern


@pytest.mark.parametrize("pattern", ["", "$", "abc", "0.0.0", "#,#0", "@perl"])
def test_what_is_no_pattern_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(SchemaError, match="number pattern"):
        number_spelling(pattern)


AFFIXES = st.sampled_from(["", "$", "€ ", "EUR ", "R$", "0#", "'", " "])
BEHIND = st.sampled_from(["", "%", " kg", " €", "0", ";"])


@st.composite
def spellings(draw: st.DrawFn) -> NumberSpelling:
    before, behind = draw(AFFIXES), draw(BEHIND)
    mark = draw(st.sampled_from(".,"))
    group = draw(st.sampled_from(["", " ", "'", "." if mark == "," else ","]))
    fewest = draw(st.integers(0, 3))
    negative = draw(
        st.sampled_from(
            [("-" + before, behind), (f"({before}", f"{behind})"), (before + "-", behind)]
        )
    )
    return NumberSpelling(
        positive=Affixes(before=before, behind=behind),
        negative=Affixes(before=negative[0], behind=negative[1]),
        group=group,
        width=1 if group else draw(st.integers(1, 8)),
        mark=mark,
        fewest_decimals=fewest,
        most_decimals=fewest + draw(st.integers(0, 3)),
    )


@given(spellings(), st.integers(-(10**12), 10**12))
def test_every_number_of_every_spelling_comes_back(spelling: NumberSpelling, unit: int) -> None:
    plain = format(Decimal(unit).scaleb(-spelling.most_decimals).normalize(), "f")
    plain = "0" if Decimal(plain) == 0 else plain
    text = spelling.write(plain)
    again = number_spelling(spelling.pattern)
    assert again.pattern == spelling.pattern
    assert again.read(text) == plain
    assert again.write(plain) == text


CURRENCIES = st.sampled_from(["", "$", "€", "USD ", "R$"])
UNITS = st.sampled_from(["", "%", " kg", " EUR", "°C"])


@given(
    CURRENCIES,
    UNITS,
    st.sampled_from(["-", "()"]),
    st.integers(0, 3),
    st.lists(st.integers(-(10**9), 10**9), min_size=40, max_size=80, unique=True),
)
def test_a_spelling_is_told_from_the_texts_alone(
    before: str, behind: str, negative: str, decimals: int, units: list[int]
) -> None:
    usual = Affixes(before="-" + before, behind=behind)
    spelling = NumberSpelling(
        positive=Affixes(before=before, behind=behind),
        negative=Affixes(before=f"({before}", behind=f"{behind})") if negative == "()" else usual,
        group=",",
        fewest_decimals=decimals,
        most_decimals=decimals,
    )
    plain = [format(Decimal(unit).scaleb(-decimals).normalize(), "f") for unit in units]
    texts = list(dict.fromkeys(spelling.write(p) for p in plain))
    reading = guess_numbers(texts, len, len(texts))
    assert reading is not None
    assert (reading.num_respelled, reading.words) == (0, ())
    values = [Decimal(reading.spelling.read(text) or "nan") for text in texts]
    assert values == [Decimal(p) for p in dict.fromkeys(plain)]


def test_a_few_words_among_numbers_are_words_and_many_are_not() -> None:
    numbers = [f"{n}.5" for n in range(60)]
    few = guess_numbers([*numbers, "N/A", "<0.05", "22-month"], len, 100)
    assert few is not None
    assert set(few.words) == {"N/A", "<0.05", "22-month"}
    assert guess_numbers([*numbers, *(f"w{chr(97 + n)}" for n in range(21))], len, 100) is None
    assert guess_numbers(["1", "2", "3", "N/A"], len, 100) is None


def test_words_need_texts_in_memory_and_are_no_numbers() -> None:
    with pytest.raises(SchemaError, match="need the storage string"):
        NumberColumn(name="x", words=("N/A",))
    with pytest.raises(SchemaError, match="'5' is a number"):
        NumberColumn(name="x", storage="string", words=("5",))
