"""Attacks on what replaces personal data: real values left, keys that are real, people mixed up."""

from __future__ import annotations

import ipaddress
import random
import re

import numpy as np
import pyarrow as pa
import pytest

from llmsynth import Synthesizer, pseudonymize
from llmsynth.personal_data.kinds import is_card, is_iban
from llmsynth.personal_data.name_lists import name_list, script, sex_of_given_name

GIVEN = {
    "f": "maria anna emily olga laura ida".split(),
    "m": "john peter lukas omar ivan bruno".split(),
}
FAMILY = "kettler smith rossi dubois novak oyelaran zabriel brandt haugen ferrari".split()


def people(rows: int = 160) -> pa.Table:
    """Lower-case people with a sex, a key that repeats, and a note about them."""
    draw = random.Random(5)
    out = []
    for _ in range(rows):
        sex = draw.choice("fm")
        given, family = draw.choice(GIVEN[sex]), draw.choice(FAMILY)
        she, noun = ("she", "woman") if sex == "f" else ("he", "man")
        out.append(
            {
                "first_name": given,
                "last_name": family,
                "sex": {"f": "female", "m": "male"}[sex],
                "note": f"{given} is a 63-year-old {noun} seen by dr. {draw.choice(FAMILY)}; {she} "
                f"says thanks {given} {family} will come on monday with a car and may stay.",
            }
        )
    return pa.Table.from_pylist(out)


def test_lower_case_names_leave_columns_and_texts() -> None:
    table = people()
    done = pseudonymize(table, texts=["note"], seed=1).table
    for before, after in zip(table.to_pylist(), done.to_pylist(), strict=True):
        words = set(re.findall(r"\w+", after["note"]))
        assert before["first_name"] != after["first_name"]
        assert before["last_name"] != after["last_name"]
        assert before["first_name"] not in words
        assert before["last_name"] not in words
        assert after["note"].startswith(f"{after['first_name']} is a 63-year-old")
        assert f"{after['first_name']} {after['last_name']} will come on monday" in after["note"]
        assert after["first_name"].islower()


def test_pseudonyms_fit_the_sex_that_the_row_tells() -> None:
    done = pseudonymize(people(), texts=["note"], seed=2).table
    told = [(row["sex"][0], sex_of_given_name(row["first_name"])) for row in done.to_pylist()]
    assert all(own in (None, sex) for sex, own in told)
    assert sum(own is not None for _, own in told) > len(told) / 2


def test_a_title_tells_the_sex_of_a_name_that_no_list_gives_one() -> None:
    firsts = [f"Quist{letter}" for letter in "abcdefghijklmnop"]
    titles = ("Mr.", "Mrs.")
    names = [
        f"{f.title()}, {t} {q} X." for f, q in zip(FAMILY, firsts, strict=False) for t in titles
    ]
    done = pseudonymize(pa.table({"Name": names}), seed=3).table["Name"].to_pylist()
    for before, after in zip(names, done, strict=True):
        assert re.fullmatch(r"[\w'’-]+, Mrs?\. [\w'’-]+ [A-Z]\.", after)
        assert before.split(",")[1].split()[0] == after.split(",")[1].split()[0]
        assert before.split(",")[0] != after.split(",")[0]


@pytest.mark.parametrize(
    ("locale", "own"),
    [
        ("ru_RU", "Cyrillic"),
        ("el_GR", "Greek"),
        ("ar_AA", "Arabic"),
        ("he_IL", "Hebrew"),
        ("hi_IN", "Devanagari"),
        ("zh_CN", "Han"),
        ("ko_KR", "Hangul"),
    ],
)
def test_pseudonyms_stay_in_the_script(locale: str, own: str) -> None:
    names = name_list(locale)
    blank = "" if own in ("Han", "Hangul") else " "
    given = names.given["m"][:12]
    cells = [f"{names.family[None][n]}{blank}{name}" for n, name in enumerate(given)]
    done = pseudonymize(pa.table({"x1": cells}), columns={"x1": "name"}, seed=4)
    after = done.table["x1"].to_pylist()
    assert not set(after) & set(cells)
    assert all(script(cell) == own for cell in after)


def test_keys_that_repeat_stay_keys_and_none_is_real() -> None:
    draw = np.random.default_rng(6)
    bodies = ["".join(map(str, draw.integers(0, 10, 18))) for _ in range(40)]
    ibans = [f"DE{98 - int(b + '131400') % 97:02d}{b}" for b in bodies]
    assert all(map(is_iban, ibans))
    cards = [str(n) for n in range(4000000000000000, 4000000000002000) if is_card(str(n))][:40]
    nhs = [n for n in map(str, range(4000000000, 4000002000)) if _passes_nhs(n)][:40]
    phones = [f"+49 30 555{n:04d}" for n in draw.choice(10_000, 40, replace=False)]
    dense = [f"{n:02d}9" for n in range(40)]
    who = draw.integers(0, 40, 600)
    real = {"konto": ibans, "card": cards, "nhs_number": nhs, "phone": phones, "member_id": dense}
    table = pa.table({name: [keys[n] for n in who] for name, keys in real.items()})
    done = pseudonymize(table, seed=7).table
    for name, keys in real.items():
        after = done[name].to_pylist()
        pairs = set(zip(table[name].to_pylist(), after, strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}), name
        assert not set(after) & set(keys), name
    assert all(map(is_iban, done["konto"].to_pylist()))
    assert all(map(is_card, done["card"].to_pylist()))
    assert all(map(_passes_nhs, done["nhs_number"].to_pylist()))
    assert all(re.fullmatch(r"\+49 30 555\d{4}", p) for p in done["phone"].to_pylist())


def _passes_nhs(number: str) -> bool:
    """Modulus 11 of the NHS number: weights 10 to 2, the check digit is 11 less the rest."""
    total = sum((10 - n) * int(digit) for n, digit in enumerate(number[:9]))
    return (11 - total % 11) % 11 == int(number[9])


def test_a_full_space_of_keys_grows_instead_of_repeating_real_ones() -> None:
    keys = [f"{n}" for n in range(100, 1000)]
    done = pseudonymize(pa.table({"customer_id": keys}), seed=8).table["customer_id"].to_pylist()
    assert not set(done) & set(keys)
    assert len(set(done)) == len(keys)


def test_private_network_addresses_stay_private_and_no_column_is_emptied() -> None:
    cells = [f"192.168.{n}.{n + 3}" for n in range(20)] + [f"10.0.{n}.9" for n in range(20)]
    odd = [f"{chr(0x1200 + n)}{chr(0x1210 + n)}{chr(0x1220 + n)}" for n in range(40)]
    table = pa.table({"client_ip": cells, "surname": odd})
    done = pseudonymize(table, columns={"client_ip": "ip", "surname": "name"}, seed=9).table
    after = done["client_ip"].to_pylist()
    assert not set(after) & set(cells)
    assert all(ipaddress.ip_address(one).is_private for one in after)
    assert [one.split(".")[0] for one in after] == [one.split(".")[0] for one in cells]
    assert done["surname"].null_count == 0
    assert not set(done["surname"].to_pylist()) & set(odd)


def test_a_fit_learns_and_samples_no_real_key_or_name() -> None:
    draw = np.random.default_rng(10)
    accounts = [f"{n}" for n in draw.choice(9 * 10**9, 30, replace=False) + 10**9]
    names = [f"{a} {b}" for a in GIVEN["f"] for b in FAMILY[:6]]
    who = draw.integers(0, 30, 400)
    table = pa.table(
        {
            "account": [accounts[n] for n in who],
            "customer": [names[n] for n in who],
            "amount": draw.integers(0, 50, 400),
        }
    )
    fitted = Synthesizer(max_epochs=2, hidden_size=32, num_layers=1).fit(table)
    made = fitted.sample(300).table
    assert not set(map(str, made["account"].to_pylist())) & set(accounts)
    assert not set(made["customer"].to_pylist()) & set(names)
    assert made["account"].null_count < 30
    assert made["customer"].null_count < 30
    assert set(fitted.provenance_["personal_data"]["replaced"]) == {"account", "customer"}
