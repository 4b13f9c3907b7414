"""Personal data on a planted table: what is found, what is replaced, what stays one person."""

from __future__ import annotations

import random
import re

import pyarrow as pa
import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import demo_tables
from llmsynth.errors import SettingsError
from llmsynth.personal_data.detection import detect
from llmsynth.personal_data.kinds import is_card, is_iban, is_ip
from llmsynth.personal_data.pseudonyms import Pseudonyms
from llmsynth.personal_data.replacement import pseudonymize, with_people_renamed

ROWS = 200
HARMLESS = {
    "colour": ["White", "Brown", "Green", "Black"],
    "city": ["Paris", "London", "Jackson", "Lincoln", "Florence", "Charlotte", "Austin", "Madison"],
    "day": ["2024-01-03", "2023-11-30", "2024-07-14"],
    "score": ["12.5", "3.75", "200.25"],
    "code": ["A-100", "B-200", "C-300"],
    "product_name": ["Steel bolt", "Oak table", "Desk lamp", "Hand saw"],
}


def planted() -> pa.Table:
    """People with every kind of personal data, columns that only look a little like it, a note."""
    faker = Faker("en_US")
    faker.seed_instance(5)
    draw = random.Random(5)
    rows = []
    for number in range(ROWS):
        first, last = faker.first_name(), faker.last_name()
        email, phone = f"{first}.{last}{number}@corp.com".lower(), faker.phone_number()
        mrn = str(700_000 + 13 * number)
        note = (
            f"Mr. {last} came in. Call {phone} or write to {email}. {first} feels well. "
            f"Seen by Dr. {faker.last_name()} with {faker.name_nonbinary()}; MRN {mrn}. "
            "Blood pressure 120/80 on 2024-03-05, weight 71.5, 500 mg twice, room 12."
        )
        rows.append(
            {
                "patient_name": f"{last}, {first}" if number % 2 else f"{first} {last}",
                "first_name": first,
                "surname": last,
                "email": email,
                "phone": phone,
                "home_address": faker.street_address(),
                "ssn": faker.ssn(),
                "card": faker.credit_card_number("visa16"),
                "account": faker.iban(),
                "patient_id": mrn,
                "note": note,
                **{name: draw.choice(texts) for name, texts in HARMLESS.items()},
            }
        )
    return pa.Table.from_pylist(rows)


TABLE = planted()
EXPECTED = {
    "patient_name": "name",
    "first_name": "name",
    "surname": "name",
    "email": "email",
    "phone": "phone",
    "home_address": "address",
    "ssn": "social security",
    "card": "credit card",
    "account": "iban",
    "patient_id": "id",
}


@pytest.fixture(scope="module")
def found():
    return pseudonymize(TABLE, seed=1)


def test_every_planted_column_is_found_and_no_other() -> None:
    assert {c.name: c.kind for c in detect(TABLE, texts=["note"])} == EXPECTED


@pytest.mark.parametrize("name", ["adult", "sick_thyroid", "mts_dialog"])
def test_real_tables_without_people_in_their_columns_raise_no_alarm(name: str) -> None:
    assert detect(demo_tables.load(name)) == ()


def test_no_cell_of_a_personal_column_stays(found) -> None:
    for name in EXPECTED:
        before, after = TABLE[name].to_pylist(), found.table[name].to_pylist()
        assert all(a != b for a, b in zip(before, after, strict=True)), name
        assert len(set(after)) >= 0.97 * len(set(before)), name
    for name in HARMLESS:
        assert found.table[name].equals(TABLE[name])


def test_texts_lose_what_patterns_and_columns_tell_and_keep_the_rest(found) -> None:
    spans = 0
    kept = 0
    for row, new in zip(TABLE.to_pylist(), found.table.to_pylist(), strict=True):
        for part in (row["email"], row["phone"], row["surname"], row["patient_id"]):
            spans += 1
            kept += part in new["note"]
        tail = "Blood pressure 120/80 on 2024-03-05, weight 71.5, 500 mg twice, room 12."
        assert new["note"].endswith(tail)
        assert new["note"].startswith("Mr. ")
    assert (spans, kept) == (4 * ROWS, 0)
    (note,) = [column for column in found.columns if column.name == "note"]
    assert note.spans["email"] == ROWS
    assert note.spans["name"] >= 4 * ROWS


def test_a_person_stays_one_person_across_columns_and_text(found) -> None:
    for row in found.table.to_pylist():
        words = set(re.findall(r"[^\W\d_]+", row["patient_name"].lower()))
        assert words == set(
            re.findall(r"[^\W\d_]+", f"{row['first_name']} {row['surname']}".lower())
        )
        assert f"Mr. {row['surname']}" in row["note"]
        assert row["email"] in row["note"]
        assert f"MRN {row['patient_id']}" in row["note"]
        assert row["email"].split("@")[1].startswith("example.")


def test_a_second_table_gives_the_same_person_the_same_pseudonym(found) -> None:
    visits = TABLE.select(["patient_id", "patient_name"]).slice(50, 20)
    again = pseudonymize(visits, pseudonyms=found.pseudonyms)
    assert again.table.equals(found.table.select(["patient_id", "patient_name"]).slice(50, 20))


def test_gaps_and_types_stay_and_the_account_holds_no_value() -> None:
    numbers = [None if n % 7 == 0 else 10_000_000 + n for n in range(100)]
    table = pa.table({"customer_id": pa.array(numbers, pa.int64()), "x": ["a"] * 100})
    done = pseudonymize(table, seed=2)
    assert done.table.schema == table.schema
    assert done.table["customer_id"].null_count == table["customer_id"].null_count
    assert done.to_json() == {"customer_id": {"kind": "id", "cells": 85, "values": 85}}


def test_columns_may_be_named_and_unknown_ones_are_refused() -> None:
    table = pa.table({"who": ["Ann", "Bo"]})
    assert pseudonymize(table).words == "nothing"
    done = pseudonymize(table, columns={"who": "name"}, seed=0)
    assert not set(done.table["who"].to_pylist()) & {"Ann", "Bo"}
    with pytest.raises(SettingsError, match="No column 'x'"):
        pseudonymize(table, columns={"x": "name"})


@given(st.lists(st.from_regex(r"[A-Z]{2}[0-9]{4}", fullmatch=True), unique=True, max_size=30))
def test_different_ids_stay_different_and_keep_their_form(ids: list[str]) -> None:
    names = Pseudonyms(3)
    new = [names.of("id", one) for one in ids]
    assert len(set(new)) == len(ids)
    assert all(re.fullmatch(r"[A-Z]{2}[0-9]{4}", one) for one in new)
    assert new == [names.of("id", one) for one in ids]


def test_a_title_is_no_name() -> None:
    names = Pseudonyms(4)
    new = names.of("name", "Braund, Mr. Owen")
    assert re.fullmatch(r"[\w'’-]+, Mr\. [\w'’-]+", new)
    assert "Braund" not in new
    assert "Owen" not in new
    table = pa.table({"who": ["Mr. Ott", "Dr. Ode"], "said": ["Mr Ott is well."] * 2})
    done = pseudonymize(table, columns={"who": "name"}, texts=["said"], seed=4)
    title, surname = done.table["who"][0].as_py().split()
    assert title == "Mr."
    assert done.table["said"][0].as_py() == f"Mr {surname} is well."
    assert done.columns[1].spans == {"name": 2}


def test_check_digits_are_checked() -> None:
    assert is_card("4539 1488 0343 6467")
    assert not is_card("4539 1488 0343 6468")
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 33")
    assert is_ip("10.0.0.1")
    assert not is_ip("300.1.1.1")


def test_related_tables_keep_their_keys_and_lose_their_names() -> None:
    keys = {"patient_id"}
    new = with_people_renamed(TABLE, keys=keys, seed=3)
    assert new["patient_id"].equals(TABLE["patient_id"])
    assert not set(new["surname"].to_pylist()) & {"", None}
    assert not any(a == b for a, b in zip(new["email"], TABLE["email"], strict=True))
