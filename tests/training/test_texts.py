"""Texts are streamed by their share of the tokens, wrapped without a gap, and learnt."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import model
from training.config import Recipe
from training.data.sources import RowError
from training.stages import TextStage
from training.texts import mixed, run_stage, sequences

pytestmark = [
    pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


def texts(path: Path, *rows: str) -> str:
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    return str(path)


def stage(data: Any, **more: Any) -> TextStage:
    given = {"name": "pre", "kind": "pretrain", "longest": 16, "learning_rate": 1e-2} | more
    return TextStage(**{"data": data, "tokens": 3 * 4 * 16, "batch": 4, **given})


def test_shares_are_of_tokens(tmp_path: Path, tokenizer: Any) -> None:
    long = texts(tmp_path / "long.jsonl", "1" * 50)
    short = texts(tmp_path / "short.jsonl", "2" * 4, "2" * 6)
    given = stage([{"path": long, "share": 0.25}, {"path": short, "share": 0.75}])
    found = [token for ids in islice(mixed(given, tokenizer, 0), 400) for token in ids]
    of_long = found.count(tokenizer.encode("1")[0])
    of_short = found.count(tokenizer.encode("2")[0])
    assert of_long / (of_long + of_short) == pytest.approx(0.25, abs=0.05)


def test_texts_are_wrapped_without_a_gap(tmp_path: Path, tokenizer: Any) -> None:
    path = texts(tmp_path / "texts.jsonl", "1234", "56789")
    found = [row["input_ids"] for row in islice(sequences(stage(path), tokenizer, 0), 3)]
    whole = tokenizer.decode([token for ids in found for token in ids])
    assert whole.startswith("1234<|end|>56789<|end|>1234<|end|>56789<|end|>")
    assert {len(ids) for ids in found} == {16}


def test_it_learns(tmp_path: Path, tokenizer: Any) -> None:
    given = stage(texts(tmp_path / "texts.jsonl", "1234567"))
    recipe = Recipe.model_validate({"name": "small", "base": ".", "stages": [given]})
    said = run_stage(recipe, given, tmp_path / "pre", model(0), tokenizer)
    assert said == "pre: 3 updates, 192 tokens"
    log = (tmp_path / "pre" / "log.jsonl").read_text().splitlines()
    losses = [row["loss"] for row in map(json.loads, log) if "loss" in row]
    assert losses[-1] < losses[0]


def test_what_cannot_be_is_said(tmp_path: Path, tokenizer: Any) -> None:
    with pytest.raises(ValidationError, match="of several sources each has a share"):
        stage(["a.jsonl", "b.jsonl"])
    with pytest.raises(ValidationError, match="say share"):
        stage([{"path": "a.jsonl", "count": 3}])
    (tmp_path / "bad.jsonl").write_text('{"txt": "a"}\n')
    with pytest.raises(RowError, match=r"bad\.jsonl:1: text: should be a text"):
        next(sequences(stage(str(tmp_path / "bad.jsonl")), tokenizer, 0))
