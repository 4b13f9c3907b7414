"""Rebalancing and filling in through the queue: real workers, tables and reports stored."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from llmsynth_serving.database.records import Job, Report, Table


def fraud(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    is_fraud = np.arange(rows) % 8 == 0
    amount = np.round(rng.normal(np.where(is_fraud, 3.0, 0.0), 1.0), 2)
    colour = rng.choice(["red", "blue"], rows).tolist()
    labels = np.where(is_fraud, "yes", "no").tolist()
    return pa.table({"amount": amount, "colour": colour, "fraud": labels})


def settings() -> dict[str, object]:
    return {"max_minutes": None, "max_epochs": 1, "seed": 0}


@pytest.mark.slow
@pytest.mark.parametrize("method", [{}, {"method": "redraw"}])
def test_a_rebalancing_stores_a_table_and_its_verdict(workplace, method) -> None:
    workplace.start_worker()
    source = workplace.add_table(fraud(320, 1), "train")
    test = workplace.add_table(fraud(160, 2), "test")
    spec = {
        "source_id": source.id,
        "test_id": test.id,
        "table_id": "t2",
        "report_id": "r2",
        "groups": [{"where": {"fraud": "yes"}, "share": 0.4}],
        "test_share": 0.25,
        "relabel": False,
        "origin": "origin",
        "num_seeds": 2,
        **method,
        "settings": {**settings(), "keep_rare": False, "drop_text": False},
    }
    job = workplace.submit(Job(project_id="p1", name="more", kind="rebalance", spec=spec))
    ended = workplace.wait_for_end(job, seconds=200)
    assert ended.state == "succeeded", ended.error
    assert ended.result is not None
    assert ended.result["verdict"] in ("gain", "no gain detected", "harm")
    (group,) = ended.result["groups"]
    assert (group["redrawn"] > 0) == (group["kept_cells"] is not None) == bool(method)
    assert (ended.result["table_id"], ended.result["report_id"]) == ("t2", "r2")
    with workplace.database.session() as session:
        table, report = session.get(Table, "t2"), session.get(Report, "r2")
    assert table is not None
    assert report is not None
    with workplace.storage.open(table.path) as file:
        rows = pq.read_table(file)
    assert rows["origin"].to_pylist().count("real") == 320
    assert rows["fraud"].to_pylist().count("yes") / rows.num_rows == pytest.approx(0.4, abs=0.01)
    assert report.summary["verdict"] == ended.result["words"]
    marked = {"gain": "gain", "harm": "harm"}.get(ended.result["verdict"])
    assert report.summary["outcome"] == marked
    with workplace.storage.open(f"{report.path}/report.json") as file:
        assert json.loads(file.read())["groups"][0]["label"] == "fraud=yes"
    with workplace.storage.open(f"{report.path}/report.html") as file:
        assert b"No gain is a normal answer" in file.read()


def test_an_imputation_stores_the_draws_below_one_another(workplace) -> None:
    workplace.start_worker()
    table = fraud(200, 3)
    amounts = table["amount"].to_pylist()
    amounts[::5] = [None] * 40
    source = workplace.add_table(table.set_column(0, "amount", pa.array(amounts)), "gaps")
    spec = {
        "source_id": source.id,
        "table_id": "t3",
        "columns": [],
        "draws": 2,
        "settings": {**settings(), "target": None},
    }
    job = workplace.submit(Job(project_id="p1", name="filled", kind="impute", spec=spec))
    ended = workplace.wait_for_end(job)
    assert ended.state == "succeeded", ended.error
    assert ended.result == {
        "table_id": "t3",
        "draws": 2,
        "filled": {"amount": 40},
        "left": {},
        "patterns": 1,
        "broken_rows": 0,
    }
    with workplace.database.session() as session:
        made = session.get(Table, "t3")
    assert made is not None
    with workplace.storage.open(made.path) as file:
        rows = pq.read_table(file)
    assert rows["draw"].to_pylist() == [1] * 200 + [2] * 200
    assert rows["amount"].null_count == 0


def test_orders_are_checked_before_they_are_queued(office) -> None:
    table = office.upload(b"a,b\n1,x\n2,y\n").json()["id"]
    headers = office.headers(scope="write")
    group = {"where": {"b": "x"}, "share": 0.6}

    def ordered(**order):
        body = {"table_id": table, "groups": [group], **order}
        return office.client.post("/v1/jobs/rebalance", json=body, headers=headers)

    assert ordered().status_code == 202
    assert ordered(test_id=table).status_code == 400
    assert "more than 1" in ordered(groups=[group, group]).json()["detail"]
    assert ordered(groups=[]).status_code == 400
    assert ordered(method="copy").status_code == 400
    assert ordered(method="redraw").json()["spec"]["method"] == "redraw"
    assert ordered(table_id="nothing").status_code == 404
    notes = "".join(f"a long remark of many words on case number {n},{n % 2}\n" for n in range(99))
    table = office.upload(b"note,b\n" + notes.encode()).json()["id"]
    group["where"] = {"b": 1}
    assert "free text" in ordered(method="redraw").json()["detail"]
    assert ordered(method="redraw", drop_text=True).status_code == 202
    filled = office.client.post("/v1/jobs/impute", json={"table_id": table}, headers=headers)
    assert filled.status_code == 202
    assert filled.json()["spec"]["draws"] == 1
