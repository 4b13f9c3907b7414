"""Few-shot orders: what is refused at once, and rows from a real worker with a small model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from litestar.testing import TestClient
from llmsynth_serving.accounts.keys import create_key
from llmsynth_serving.app import create_app
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SCHEMA = {
    "columns": [
        {"name": "age", "kind": "number", "minimum": "0", "maximum": "99"},
        {"name": "job", "kind": "category", "categories": ["baker", "clerk", "pilot"]},
        {"name": "day", "kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
    ]
}
ROWS = [
    {"age": 30, "job": "baker", "day": "2020-05-01"},
    {"age": 41, "job": "clerk", "day": "2020-06-02"},
    {"age": 52, "job": "clerk", "day": "2020-07-03"},
]


def save_small_model(folder: Path) -> None:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(["age=30; job=baker; day=2020-05-01\n"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture
def client(workplace: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("LLMSYNTH_MODELS", str(tmp_path / "models"))
    save_small_model(tmp_path / "models" / "small")
    with workplace.database.session() as session:
        _, key = create_key(session, project_id="p1", name="k", scope="write")
    with TestClient(create_app(workplace.settings)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def ended(client: TestClient, order: dict[str, Any]) -> dict[str, Any]:
    job = client.post("/v1/jobs/few-shot", json={"model": "small", **order})
    assert job.status_code == 202, job.text
    client.get(f"/v1/jobs/{job.json()['id']}/events")
    told: dict[str, Any] = client.get(f"/v1/jobs/{job.json()['id']}").json()
    return told


def test_rows_by_prompt_become_a_table(workplace: Any, client: TestClient) -> None:
    workplace.start_worker()
    quotas = {"job": {"pilot": 0.5}}
    job = ended(client, {"rows": 10, "schema": SCHEMA, "examples": ROWS, "quotas": quotas})
    assert job["state"] == "succeeded", job
    result = job["result"]
    assert (result["asked"], result["is_partial"], result["account"]["rows"]) == (10, False, 10)
    assert result["provenance"]["template"]["name"] == "rows-1"
    made = client.get(f"/v1/tables/{result['table_id']}").json()
    assert (made["num_rows"], made["origin"]) == (10, "generated")
    shown = client.get(f"/v1/tables/{result['table_id']}/preview").json()
    assert [row[1] for row in shown["rows"]].count("pilot") == 5
    # The examples are a table of their own, and the job names it rather than holding rows.
    kept = client.get(f"/v1/tables/{job['spec']['examples_table_id']}").json()
    assert (kept["num_rows"], kept["origin"]) == (3, "upload")
    assert "2020-05-01" not in json.dumps(job["spec"])
    again = ended(client, {"rows": 4, "examples_table_id": kept["id"], "schema": SCHEMA})
    assert again["state"] == "succeeded", again
    told = ended(client, {"rows": 4, "schema_table_id": kept["id"]})
    assert told["state"] == "succeeded", told
    lacking = ended(client, {"rows": 4, "schema": SCHEMA, "model": "none-such"})
    assert (lacking["state"], "none-such" in lacking["error"]["detail"]) == ("failed", True)


@pytest.mark.parametrize(
    ("order", "status", "told"),
    [
        ({}, 400, "Give a schema, example rows, or both"),
        ({"schema": SCHEMA, "schema_table_id": "x"}, 400, "in one way each"),
        ({"examples": ROWS, "examples_table_id": "x"}, 400, "in one way each"),
        ({"examples_table_id": "x"}, 404, "no table"),
        ({"schema": {"columns": []}}, 422, "at least one column"),
        ({"schema": {"columns": [{"name": "a\0", "kind": "text"}]}}, 400, "NUL"),
        ({"examples": [{"a": 1}, {"a": "x"}]}, 400, "make no table"),
        ({"examples": [{"a": "x\0"}]}, 400, "NUL"),
        ({"examples": [{"a": {}}]}, 400, "a list or an object"),
        ({"examples": [{}]}, 400, ""),
        ({"schema": SCHEMA, "rows": 0}, 400, ""),
        ({"schema": SCHEMA, "model": "../secret"}, 400, ""),
        ({"schema": SCHEMA, "quotas": {"job": {"pilot": 2}}}, 400, ""),
    ],
)
def test_an_order_that_cannot_be_is_refused_at_once(
    office: Any, order: dict[str, Any], status: int, told: str
) -> None:
    headers = office.headers(scope="write")
    answer = office.client.post("/v1/jobs/few-shot", json={"rows": 5, **order}, headers=headers)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    for kind in ("jobs", "tables"):
        assert office.client.get(f"/v1/{kind}", headers=headers).json()["items"] == []


def test_a_key_that_may_run_no_job_leaves_no_examples_behind(office: Any) -> None:
    limits = {"name": "none", "scope": "write", "max_running_jobs": 0}
    made = office.client.post("/v1/keys", json=limits, headers=office.headers()).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    order = {"rows": 5, "examples": ROWS}
    answer = office.client.post("/v1/jobs/few-shot", json=order, headers=headers)
    assert answer.status_code == 429, answer.text
    assert office.client.get("/v1/tables", headers=headers).json()["items"] == []
