"""Groups of rows and sets of tables judged whole: planted faults move the figure that is theirs."""

import json

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.cli.program import main
from llmsynth_eval.related import evaluate_related, evaluate_sequences

from llmsynth.errors import TableError
from llmsynth.schema.metadata_set import ForeignKey, MetadataSet, SetTable

SET = MetadataSet(
    tables={"home": SetTable(primary_key="home_id"), "guest": SetTable(primary_key="guest_id")},
    foreign_keys=(ForeignKey(table="guest", column="home", parent="home"),),
)


def stays(groups=200, seed=0):
    """Groups of rows some days apart whose number goes on from the row before."""
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        sex, level = rng.choice(["f", "m"]), rng.normal()
        day = np.datetime64("2024-01-01") + rng.integers(0, 90)
        for _ in range(rng.integers(1, 6)):
            rows.append((f"g{group}", str(day), sex, rng.choice(list("abc")), level))
            day += rng.integers(1, 9)
            level = 0.9 * level + 0.3 * rng.normal()
    return pd.DataFrame(rows, columns=["who", "day", "sex", "what", "level"])


def homes(seed=0, share=0.9):
    """Homes, and guests whose number and age hang on the kind of home."""
    rng = np.random.default_rng(seed)
    home = pd.DataFrame({"home_id": np.arange(300), "kind": rng.choice(["old", "new"], 300)})
    is_old = home["kind"].to_numpy() == "old"
    counts = np.where(is_old, rng.integers(2, 5, 300), rng.integers(0, 2, 300))
    of = np.repeat(np.arange(300), counts)
    old = np.where(rng.random(len(of)) < share, is_old[of], rng.random(len(of)) < 0.5)
    age = np.where(old, rng.integers(60, 90, len(of)), rng.integers(20, 40, len(of)))
    guest = pd.DataFrame({"guest_id": np.arange(len(of)), "home": of, "age": age})
    return {"home": home, "guest": guest}


def of_groups(synthetic):
    found = evaluate_sequences(
        stays(seed=1),
        synthetic,
        stays(seed=2),
        group_by="who",
        order_by="day",
        static=["sex"],
    )
    return {name: value for part in found.parts.values() for name, value in part.values.items()}


def test_real_groups_lie_at_the_floor():
    found = of_groups(stays(seed=3))
    assert found["static_changes"] == found["times_back"] == found["missing_keys"] == 0
    assert found["gap_ks"] < 0.1
    assert found["cardinality_ks"] < 0.15
    assert found["autocorrelation_difference"] < 0.1


@pytest.mark.parametrize(
    ("figure", "least", "break_"),
    [
        ("static_changes", 0.5, lambda t: t.assign(sex=list("fm" * len(t))[: len(t)])),
        ("times_back", 0.9, lambda t: t.iloc[::-1]),
        ("gap_ks", 0.9, lambda t: t.assign(day="2024-01-01")),
        (
            "autocorrelation_difference",
            0.3,
            lambda t: t.assign(level=t.level.sample(frac=1, random_state=0).values),
        ),
        ("cardinality_ks", 0.3, lambda t: t.groupby("who").head(2)),
        ("transition_distance", 0.3, lambda t: t.assign(what="a")),
    ],
)
def test_a_planted_fault_moves_its_figure(figure, least, break_):
    assert of_groups(break_(stays(seed=3)))[figure] >= least


def test_gaps_worked_by_hand():
    days = ["2024-01-01", "2024-01-02", "2024-01-05"]
    train = pd.DataFrame({"who": ["a"] * 3, "day": days, "x": [1, 2, 3]})
    other = train.assign(day=["2024-01-01", "2024-01-04", "2024-01-07"])
    part = evaluate_sequences(train, other, group_by="who", order_by="day").parts["groups"]
    assert part.values["gap_ks"] == pytest.approx(0.5)  # gaps of 1 and 3 days against 3 and 3
    table = next(t for t in part.tables if t.name == "gaps")
    assert {row[0]: row[2] for row in table.rows}["50%"] == 3 * 86_400


def test_related_tables_are_judged_by_table_and_by_key():
    found = evaluate_related(SET, homes(1), homes(2), homes(3))
    assert list(found.parts) == ["home", "guest", "guest.home -> home"]
    figures = found.parts["guest.home -> home"].values
    assert figures["orphans"] == figures["repeated_keys"] == 0
    assert figures["parent_child_association"] < 0.1


def test_rows_in_the_order_of_a_set_are_judged_by_their_times():
    ordered = MetadataSet(
        tables={"person": SetTable(primary_key="who"), "stay": SetTable(order_by="day")},
        foreign_keys=(ForeignKey(table="stay", column="who", parent="person"),),
    )

    def as_set(table):
        people = table[["who", "sex"]].drop_duplicates()
        return {"person": people, "stay": table.drop(columns="sex")}

    sets = [as_set(table) for table in (stays(seed=1), stays(seed=3).iloc[::-1], stays(seed=2))]
    figures = evaluate_related(ordered, *sets).parts["stay.who -> person"].values
    assert figures["times_back"] > 0.9
    assert figures["gap_ks"] < 0.1
    assert figures["autocorrelation_difference"] < 0.1


def test_lost_parents_and_lost_associations_are_seen():
    orphaned = homes(2)
    orphaned["guest"] = orphaned["guest"].assign(home=lambda t: t["home"] + 150)
    figures = evaluate_related(SET, homes(1), orphaned).parts["guest.home -> home"].values
    assert figures["orphans"] > 0.3
    loose = evaluate_related(SET, homes(1), homes(2, share=0)).parts["guest.home -> home"].values
    assert loose["parent_child_association"] > 0.5


def test_a_missing_table_is_named():
    with pytest.raises(TableError, match="synthetic tables lack 'guest'"):
        evaluate_related(SET, homes(1), {"home": homes(1)["home"]})


def test_files_are_judged_from_the_shell(tmp_path, capsys):
    for number, role in enumerate(("train", "synthetic")):
        (tmp_path / role).mkdir()
        for name, table in homes(number).items():
            table.to_csv(tmp_path / role / f"{name}.csv", index=False)
        stays(seed=number).to_csv(tmp_path / f"{role}.csv", index=False)
    (tmp_path / "set.json").write_text(SET.to_json())
    out = tmp_path / "found.json"
    folders = ["--train", str(tmp_path / "train"), "--synthetic", str(tmp_path / "synthetic")]
    assert main(["related", *folders, "--set", str(tmp_path / "set.json"), "--json", str(out)]) == 0
    assert "Orphans" in capsys.readouterr().out
    assert "guest.home -> home" in json.loads(out.read_text())["parts"]
    files = [word + ".csv" if "/" in word else word for word in folders]
    assert main(["related", *files, "--group-by", "who", "--order-by", "day"]) == 0
    assert "Time between rows" in capsys.readouterr().out
    assert main(["related", *files]) == 2
