"""Personal columns in many languages and scripts, and columns that only look like it."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from llmsynth.errors import SchemaError, SettingsError
from llmsynth.personal_data.detection import detect, examine, personal_kind

GIVEN = ["anna", "peter", "maria", "john", "sofia", "lukas", "emma", "paul"]
FAMILY = ["meyer", "smith", "rossi", "dubois", "novak"]
FULL = [f"{a} {b}" for a in GIVEN for b in FAMILY]
CYRILLIC = [
    f"{b} {a}"
    for a in ("Алексей", "Мария", "Ольга", "Дмитрий")
    for b in ("Иванов", "Петров", "Шевченко")
]
INVENTED = [
    f"{a} {b}"
    for a in ("Quist", "Orrin", "Pella", "Ilva")
    for b in ("Oyelaran", "Kettler", "Zabriel")
]
DIGITS = [f"{n * 7_919 + 10_000_000}" for n in range(40)]


def cells(texts: list[str], rows: int = 400) -> pa.ChunkedArray:
    draw = random.Random(3)
    return pa.chunked_array([pa.array([draw.choice(texts) for _ in range(rows)])])


PERSONAL = [
    ("customer", FULL, "name"),
    ("first", [*GIVEN, "laura", "omar", "ivan"], "name"),
    ("last", [*FAMILY, "brandt", "haugen", "ferrari", "jones", "brown", "white"], "name"),
    ("x", [name.upper() for name in FULL], "name"),
    ("pupil", [f"{b.upper()}, {a.title()}" for a in GIVEN for b in FAMILY], "name"),
    ("v1", [f"{b.title()}, Mr. {a.title()} Q (of X)" for a in GIVEN for b in FAMILY], "name"),
    ("Nachname", [f"{name}berg" for name in "Altz Brod Corv Drum Erl Falk Gorz Hild Imk Jark".split()], "name"),  # noqa: E501
    ("nom de famille", INVENTED, "name"),
    ("nazwisko", INVENTED, "name"),
    ("Příjmení", INVENTED, "name"),
    ("soyadı", INVENTED, "name"),
    ("ФИО", CYRILLIC, "name"),
    ("прізвище", CYRILLIC, "name"),
    ("q7", CYRILLIC, "name"),
    ("ονοματεπώνυμο", [f"{a} {b}" for a in ("Γιώργος", "Μαρία", "Ελένη", "Νίκος") for b in ("Παππάς", "Δήμου", "Κώστα")], "name"),  # noqa: E501
    ("الاسم الكامل", [f"{a} {b}" for a in ("محمد", "أحمد", "فاطمة", "علي") for b in ("حسن", "صالح", "عمر")], "name"),  # noqa: E501
    ("שם משפחה", ["כהן", "לוי", "מזרחי", "פרץ", "ביטון", "דהן", "אברהם", "פרידמן", "מלכה", "אזולאי"], "name"),  # noqa: E501
    ("पूरा नाम", [f"{a} {b}" for a in ("अमित", "सुनीता", "राहुल", "प्रिया") for b in ("शर्मा", "वर्मा", "सिंह")], "name"),  # noqa: E501
    ("姓名", [a + b for a in "王李张刘" for b in ("伟", "芳", "秀英")], "name"),
    ("氏名", [f"{a} {b}" for a in ("佐藤", "鈴木", "高橋", "田中") for b in ("健", "さくら", "陽子")], "name"),  # noqa: E501
    ("성명", [a + b for a in "김이박최" for b in ("민준", "서연", "지후")], "name"),
    ("Kundennummer", ["K-" + d for d in DIGITS], "id"),
    ("numero_client", DIGITS, "id"),
    ("nº de cliente", DIGITS, "id"),
    ("номер счета", DIGITS, "id"),
    ("رقم العميل", DIGITS, "id"),
    ("客户编号", DIGITS, "id"),
    ("고객번호", DIGITS, "id"),
    ("teléfono", ["91" + d[:7] for d in DIGITS], "phone"),
    ("電話番号", ["03" + d for d in DIGITS], "phone"),
    ("Anschrift", [f"Lindenweg {n}" for n in range(40)], "address"),
    ("z", [f"rue de la Paix {n}" for n in range(3)] + [f"{n} rue de la Paix" for n in range(37)], "address"),  # noqa: E501
    ("login", ["mk_" + d for d in DIGITS], "user name"),
    ("h", ["@mk" + d for d in DIGITS], "user name"),
    ("device", [f"{n:02x}:71:26:55:82:93" for n in range(40)], "mac"),
    ("addr6", [f"2001:db8::{n:x}" for n in range(40)], "ip"),
    ("Kennzeichen", [f"B-XY {d[:4]}{n}" for n, d in enumerate(DIGITS[:9])] + ["M-A 1", "M-A 2"], "plate"),  # noqa: E501
    ("fecha de nacimiento", [f"1980-01-{n:02d}" for n in range(1, 29)], "birth date"),
]  # fmt: skip
HARMLESS = [
    ("address_changed", ["no change", "1 year", "2 years", "3 years", "5 years"]),
    ("address_changed", [f"{n} years" for n in range(40)]),
    ("address", [f"{n} years" for n in range(40)]),
    ("home address", [f"more than {n} miles" for n in range(40)]),
    ("name_suffix", ["Jr", "Sr", "III"]),
    ("phone_service", ["yes", "no"]),
    ("email_opt_in", ["yes", "no"]),
    ("ip_protocol", ["tcp", "udp", "icmp"]),
    ("city", ["Berlin", "Paris", "Madrid", "Rome", "Oslo", "Bern", "Wien", "Prag", "Riga", "Bonn"]),
    ("customer_segment", [f"segment {n}" for n in range(40)]),
    ("num_customers", [f"{n}" for n in range(100, 180)]),
    ("product_name", [f"{c} {n}" for c in ("steel bolt", "oak table") for n in range(20)]),
    ("colour", "white black green brown gray gold silver red blue olive rose ivory".split()),
    ("surname", [f"{n}" for n in range(40)]),
    ("phone", [f"Galaxy S{n}" for n in range(40)]),
    ("mail", [f"parcel {n}" for n in range(40)]),
    ("remark", [f"dark green rice {w}" for w in "will may hope grace rose art bill mark".split() * 3]),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("name", "texts", "kind"), PERSONAL)
def test_a_personal_column_is_found_whatever_its_language_script_and_case(name, texts, kind):
    found = personal_kind(name, cells(texts))
    assert found is not None
    assert found.kind == kind
    assert found.why


@pytest.mark.parametrize(("name", "texts"), HARMLESS)
def test_a_column_that_only_looks_personal_is_left(name, texts):
    assert personal_kind(name, cells(texts)) is None


def test_fewer_than_ten_different_cells_are_left_and_said() -> None:
    table = pa.table({"email": cells([f"a{n}@example.org" for n in range(9)])})
    seen = examine(table)
    assert seen.found == ()
    assert [(c.name, c.kind, c.why) for c in seen.left] == [
        ("email", "email", "fewer than 10 different cells")
    ]


def test_a_declaration_goes_before_what_is_found() -> None:
    table = pa.table({"email": ["a@b.org"] * 3, "code": ["x", "y", "z"], "who": FULL[:3]})
    declared = {"email": "Credit_Card", "code": "name"}
    assert {c.name: c.kind for c in detect(table, declared=declared)} == {
        "email": "credit card",
        "code": "name",
    }
    people = pa.table({"who": FULL})
    assert [c.kind for c in detect(people)] == ["name"]
    assert detect(people, declared={"who": "none"}) == ()
    with pytest.raises(SchemaError, match="personal must be one of name, email"):
        detect(people, declared={"who": "nam"})
    with pytest.raises(SettingsError, match="'whom' is declared personal"):
        detect(people, declared={"whom": "name"})
