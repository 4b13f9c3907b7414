"""Somebody is handed a bundle, whole or cut off, and tries to read the training table out of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from safetensors import safe_open
from transformers import PreTrainedTokenizerFast

from llmsynth import GroupedSynthesizer, RelatedSynthesizer, Synthesizer
from llmsynth.bundle.owner import SUFFIX, OwnerFolder
from llmsynth.cli.fit_work import fit_work
from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.errors import BundleError
from llmsynth.progress import Step
from llmsynth.schema import infer_schema
from llmsynth.schema.metadata_set import ForeignKey, MetadataSet, SetTable
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.tables import read_table
from llmsynth.tables.conforming import conform
from llmsynth.training.tuning_settings import TuningSettings

GUARD = 8
EMPLOYER = "Quillfeather & Sons of Ynysddu"
STORY = "My sister saw the comet over Ynysddu and told no one."


def files_of(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def readings(path: Path, tokenizers: Sequence[PreTrainedTokenizerFast] = ()) -> list[str]:
    """A file's content in every way that may show a text: as it is, as JSON, Arrow, token ids."""
    raw = path.read_bytes()
    out = [raw.decode("utf-8", "replace"), raw.decode("utf-16-le", "replace")]
    if path.suffix == ".json":
        out.append(json.dumps(json.loads(raw), ensure_ascii=False))
    numbers = [*_arrow_lists(path), *_tensor_rows(path)]
    out += [tokenizer.decode(row) for tokenizer in tokenizers for row in numbers]
    return out


def walked(path: Path, starts: Iterable[Sequence[int]], vocabulary: int) -> list[list[int]]:
    """Texts rebuilt by trying every next token on hashes of spans; none where none are there."""
    try:
        spans = SpanHashes.load(path)
    except BundleError:
        return []
    out = []
    for start in starts:
        text = list(start)
        while len(text) < 400:
            found = np.flatnonzero(spans.completed(text, np.arange(vocabulary)))
            if not len(found):
                break
            text.append(int(found[0]))
        out.append(text)
    return out


def plain_hashes(table: pa.Table) -> set[str]:
    """What a guessed table's hash would be, by the usual ways to hash one."""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    rows = json.dumps(table.to_pylist(), default=str)
    return {hashlib.sha256(data).hexdigest() for data in (stream.getvalue(), rows.encode())}


def _arrow_lists(path: Path) -> list[list[int]]:
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_stream(source).read_all()
    except (pa.ArrowInvalid, OSError):
        return []
    cells = [cell for column in table.columns for cell in column.to_pylist()]
    return [cell for cell in cells if isinstance(cell, list)]


def _tensor_rows(path: Path) -> list[list[int]]:
    if path.suffix != ".safetensors":
        return []
    with safe_open(path, framework="numpy") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
    whole = [t for t in tensors if t.dtype.kind in "iu" and t.size]
    cuts = [(t.reshape(-1, t.shape[-1]) if t.ndim > 1 else t[None]) for t in whole]
    rows = [row.astype(np.int64).tolist() for cut in cuts for row in cut]
    return [row for row in rows if all(0 <= token < 2**31 for token in row)]


def share_read(text: Sequence[int], known: Sequence[int]) -> float:
    """Share of a text's neighbouring tokens that what was rebuilt holds as well."""
    pairs = set(pairwise(text))
    return len(pairs & set(pairwise(known))) / max(len(pairs), 1)


def people(rows: int = 80) -> pd.DataFrame:
    """People with a note each; one of them has the rare employer and the unique text."""
    rng = np.random.default_rng(0)
    jobs, sexes = rng.choice(["baker", "clerk"], rows), rng.choice(["female", "male"], rows)
    notes = [
        f"A {sex} {job} came in on day {day}, {rng.integers(10**6)} steps away from the old home."
        for day, (sex, job) in enumerate(zip(sexes, jobs, strict=True))
    ]
    employers = rng.choice(["Town", "County"], rows).astype(object)
    notes[3], employers[3] = STORY, EMPLOYER
    return pd.DataFrame(
        {"age": rng.integers(18, 80, rows), "job": jobs, "employer": employers, "note": notes}
    )


def text_synthesizer(model: Path, max_epochs: float) -> Synthesizer:
    tuning = TuningSettings(rank=4, learning_rate=1e-2, batch_tokens=512)
    return Synthesizer(
        model=str(model),
        text=TextSettings(copy_guard=GUARD, tuning=tuning),
        # Names stay, so that a text can be looked for as it was.
        personal_data="keep",
        max_epochs=max_epochs,
        hidden_size=32,
        num_layers=1,
    )


def assert_nothing_reads(folder: Path, secrets: Sequence[str], model: Path | None = None) -> None:
    """Every file, read every way, holds none of the secrets."""
    tokenizers = [] if model is None else [PreTrainedTokenizerFast.from_pretrained(model)]
    assert files_of(folder)
    for path in files_of(folder):
        found = readings(path, tokenizers)
        told = [secret for secret in secrets if any(secret in text for text in found)]
        assert not told, f"{path.name} holds {told}"


@pytest.fixture(scope="module")
def of_texts(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    synthesizer = text_synthesizer(tiny_model, max_epochs=1)
    synthesizer.fit(people())
    return synthesizer.save(tmp_path_factory.mktemp("texts") / "people.model")


def test_no_file_of_a_text_fit_can_be_read_or_walked(of_texts: Path, tiny_model: Path) -> None:
    notes = people()["note"].tolist()
    assert_nothing_reads(of_texts, [*notes, EMPLOYER], tiny_model)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    starts = [tokenizer(STORY)["input_ids"][: GUARD + at] for at in range(4)]
    for path in files_of(of_texts):
        assert not walked(path, starts, len(tokenizer)), path.name


def test_the_walk_is_one_that_reads_the_owners_guard(of_texts: Path, tiny_model: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    owner = OwnerFolder.of(of_texts)
    assert owner.root.stat().st_mode & 0o077 == 0
    assert "Keep it at home" in (owner.root / "README.txt").read_text()
    whole = tokenizer(f'"{STORY}"')["input_ids"]
    guard = owner.guard / "spans.safetensors"
    rebuilt = walked(guard, [whole[at : at + GUARD] for at in range(5)], len(tokenizer))
    assert max(share_read(whole, text) for text in rebuilt) > 0.5


def test_a_bundle_alone_samples_and_says_that_its_guard_is_absent(
    of_texts: Path, tmp_path: Path
) -> None:
    assert Synthesizer.load(of_texts).sample(3).report.memorization_guard == "present"
    shipped = shutil.copytree(of_texts, tmp_path / "shipped")
    sample = Synthesizer.load(shipped).sample(3)
    assert len(sample) == 3
    assert sample.report.memorization_guard == "absent"


def test_a_guessed_table_is_not_confirmed_by_a_bundle(tmp_path: Path) -> None:
    table = people().drop(columns="note")
    plain = Synthesizer(max_epochs=1, hidden_size=32, num_layers=1).fit(table)
    folder = plain.save(tmp_path / "plain")
    assert_nothing_reads(folder, [EMPLOYER])
    guesses = plain_hashes(pa.Table.from_pandas(table, preserve_index=False))
    record = json.loads((folder / "provenance.json").read_text())
    typed = plain_hashes(conform(read_table(table), infer_schema(read_table(table))))
    assert_nothing_reads(folder, sorted(guesses | typed))
    again = Synthesizer(max_epochs=1, hidden_size=32, num_layers=1).fit(table)
    assert again.provenance_["data"]["hmac_sha256"] != record["data"]["hmac_sha256"]
    assert OwnerFolder.of(folder).read_key() == plain.record_key_


def test_an_interrupted_fit_leaves_its_rows_in_the_owners_folder_alone(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(step: Step) -> None:
        if step.done:
            raise KeyboardInterrupt

    bundle = tmp_path / "people.model"
    synthesizer = text_synthesizer(tiny_model, max_epochs=3)
    with fit_work(bundle) as work:
        (work / "checkpoint.safetensors").touch()
        synthesizer.fit(people(), checkpoint_dir=work, progress=stop)
        synthesizer.save(bundle)
    owner = OwnerFolder.of(bundle)
    assert str(owner.work) in capsys.readouterr().err
    assert owner.work.stat().st_mode & 0o077 == 0
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    kept = readings(owner.work / "tuning" / "examples.arrow", [tokenizer])
    assert any(STORY in text for text in kept), "the attack reads what is there to be read"
    assert_nothing_reads(bundle, [*people()["note"], EMPLOYER], tiny_model)


def test_parts_of_groups_and_of_related_tables_ship_no_owners_files(tmp_path: Path) -> None:
    visits = (
        people(90).drop(columns="note").assign(person=[f"P{row // 3:03d}" for row in range(90)])
    )
    grouped = GroupedSynthesizer(group_by="person", max_epochs=1, hidden_size=32, num_layers=1)
    whole = grouped.fit(visits).save(tmp_path / "groups")
    keys = pd.DataFrame({"person": visits["person"].unique(), "town": ["Rye", "Ely", "Wem"] * 10})
    joined = MetadataSet(
        tables={"person": SetTable(primary_key="person"), "visit": SetTable()},
        foreign_keys=(ForeignKey(table="visit", column="person", parent="person"),),
    )
    related = RelatedSynthesizer(joined, max_epochs=1, hidden_size=32, num_layers=1)
    set_of = related.fit({"person": keys, "visit": visits}).save(tmp_path / "set")
    for folder in (whole, set_of):
        assert_nothing_reads(folder, [EMPLOYER])
        names = {path.name for path in files_of(folder)}
        assert not {"table.key", "README.txt", "spans.safetensors"} & names
        assert not list(folder.rglob(f"*{SUFFIX}"))
        assert len(list(OwnerFolder.of(folder).root.rglob("table.key"))) == 2
