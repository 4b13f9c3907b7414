"""Names are learned as forms, and people are made up for every new row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import ConditionError
from llmsynth.personal_data.invented_people import InventedPerson, form_of
from llmsynth.personal_data.name_lists import given_names


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Braund, Mr. Owen Harris", ", Mr.  "),
        ("Byles, Rev. Thomas R", ", Rev.  "),
        ("van den Berg, Ann", "van den , "),
        ('Peter, Mrs. Catherine "Kate"', ', Mrs.  ""'),
    ],
)
def test_a_form_keeps_titles_and_signs_and_nobodys_name(name: str, kept: str) -> None:
    form = form_of("name", name)
    assert "".join(c for c in form if ord(c) < 0xF0000) == kept


def test_a_row_is_about_one_person_in_all_of_its_columns() -> None:
    person = InventedPerson(3, 17)
    first = person.text(form_of("name", "Mary"))
    last = person.text(form_of("name", "SMITH"))
    whole = person.text(form_of("name", "Smith, Mrs. Mary Mary"))
    assert last.isupper()
    assert whole.startswith(f"{last.title()}, Mrs. {first} ")
    assert whole.split()[-1] != first, "a second given name is another one"
    email = person.text(form_of("email", "mary@smith.org"))
    assert last.lower() in email
    assert email.endswith("@example.com")
    assert InventedPerson(3, 17).text(form_of("name", "Mary")) == first


def test_a_title_tells_the_given_name() -> None:
    forms = (form_of("name", name.title()) for name in sorted(given_names()))
    either = next(form for form in forms if form == chr(0xF0106))  # a list that tells no sex
    for row in range(50):
        woman = InventedPerson(0, row).text(form_of("name", "Mary"))
        assert InventedPerson(0, row).text(f"Miss. {either}") == f"Miss. {woman}"
        man = InventedPerson(0, row).text(form_of("name", "Peter"))
        assert InventedPerson(0, row).text(f"Mr. {either}") == f"Mr. {man}"


def test_names_are_made_up_in_the_forms_that_go_with_their_row() -> None:
    draw = np.random.default_rng(1)
    sex = draw.choice(["male", "female"], 400)
    given = {"male": ["John", "Peter", "Paul"], "female": ["Mary", "Anna", "Ruth"]}
    title = {"male": "Mr.", "female": "Mrs."}
    names = [
        f"{draw.choice(['Smith', 'Brown', 'Miller', 'Davis'])}, {title[s]} {draw.choice(given[s])} "
        f"{draw.choice(given[s])}"
        for s in sex
    ]
    table = pd.DataFrame({"name": names, "sex": sex, "x": draw.integers(0, 5, 400)})
    settings: dict[str, object] = {"max_epochs": 12, "hidden_size": 32, "num_layers": 2}
    synthesizer = Synthesizer(**settings).fit(table)  # type: ignore[arg-type]
    rows = synthesizer.sample(200).to_pandas()
    is_female = rows["sex"] == "female"
    assert (rows["name"].str.contains("Mrs.", regex=False) == is_female).mean() > 0.9
    assert rows["name"].str.fullmatch(r"[^\W\d_' -]+.*, Mrs?\. \w+ \w+").mean() > 0.95
    assert rows["name"].nunique() > 150
    assert not set(rows["name"]) & set(names)
    with pytest.raises(ConditionError, match="made up"):
        synthesizer.sample(1, where={"name": "Smith, Mr. John Paul"})
