"""The three losses equal their formulas on a real model; a stage leaves a whole checkpoint."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import logsigmoid

from tests.tokenizer import small_tokenizer
from tests.training.rl.small import model
from training import dpo, reward_model
from training.config import Recipe
from training.on_trl import on_disk
from training.preferences import Pair
from training.stages import PreferenceStage

pytestmark = [
    pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]

PAIRS = [
    Pair([1, 2, 3], [10, 11, 12, 13], [20, 21]),
    Pair([4, 5], [30], [40, 41, 42]),
    Pair([6], [50, 51], [60, 61, 62, 63, 64]),
    Pair([7, 8, 9], [70, 71, 72], [80]),
]


def recipe(**stage: Any) -> tuple[Recipe, PreferenceStage]:
    made = Recipe.model_validate(
        {
            "name": "small",
            "base": ".",
            "stages": [
                {"name": "prefer", "kind": "dpo", "batch": 4, "micro_batch": 4, "longest": 16}
                | {"learning_rate": 1e-3}
                | stage
            ],
        }
    )
    (only,) = made.stages
    assert isinstance(only, PreferenceStage)
    return made, only


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return small_tokenizer()


def logprob(network: Any, prompt: list[int], completion: list[int]) -> torch.Tensor:
    ids = torch.tensor([prompt + completion])
    with torch.no_grad():
        found = network(input_ids=ids).logits[0].log_softmax(-1)
    where = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
    return sum(found[at, token] for at, token in zip(where, completion, strict=True))


def formula(loss: str, policy: Any, base: Any, beta: float, margin: float) -> float:
    losses = []
    for pair in PAIRS:
        scores = []
        for ids in (pair.chosen_ids, pair.rejected_ids):
            score = logprob(policy, pair.prompt_ids, ids)
            if loss != "simpo":
                score = score - logprob(base, pair.prompt_ids, ids)
            scores.append(score if loss == "sigmoid" else score / len(ids))
        better, worse = scores
        losses.append(-logsigmoid(beta * (better - worse) - margin))
    return float(sum(losses) / len(losses))


@pytest.mark.parametrize(
    ("loss", "margin"), [("sigmoid", 0.0), ("length_normalized", 0.0), ("simpo", 0.6)]
)
def test_losses_are_their_formulas(
    loss: str, margin: float, tmp_path: Path, tokenizer: Any
) -> None:
    made, stage = recipe(loss=loss, margin=margin, beta=2.0)
    base, policy = model(0), model(1)
    trainer = dpo.PairTrainer(
        model=copy.deepcopy(base),
        args=dpo.arguments(made, stage, tmp_path),
        train_dataset=on_disk([asdict(pair) for pair in PAIRS], tmp_path),
        processing_class=tokenizer,
        reward_margin=margin / stage.beta if loss == "simpo" else None,
    )
    # The base has been asked as the trainer was made; the policy is another one by now.
    trainer.model.load_state_dict(policy.state_dict())
    inputs = trainer.data_collator([trainer.train_dataset[i] for i in range(len(PAIRS))])
    found = trainer._compute_loss(trainer.model.eval(), inputs, return_outputs=False).item()
    expected = formula(loss, policy.eval(), base.eval(), stage.beta, margin)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_stage_prefers_and_leaves_a_checkpoint(tmp_path: Path, tokenizer: Any) -> None:
    made, stage = recipe(beta=2.0, epochs=8, lora={"rank": 4, "alpha": 8})
    network = model(0)
    before = formula("sigmoid", network.eval(), network, 1.0, 0.0)
    too_long = Pair([1] * 20, [2], [3])
    said = dpo.run_stage(made, stage, tmp_path, network, tokenizer, [*PAIRS, too_long])
    assert said == "prefer: 8 updates on 4 pairs of 5"
    trained = type(network).from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert formula("sigmoid", trained.eval(), model(0).eval(), 1.0, 0.0) < before
    assert not (tmp_path / "resume").exists()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 8


def test_a_reward_model_tells_better_from_worse(tmp_path: Path, tokenizer: Any) -> None:
    made, stage = recipe(kind="reward-model", epochs=20, learning_rate=1e-2)
    model(0).save_pretrained(tmp_path / "base")
    said = reward_model.run_stage(
        made, stage, tmp_path / "judge", tmp_path / "base", tokenizer, PAIRS
    )
    assert said == "prefer: 20 updates on 4 pairs of 4"
    from transformers import Qwen3ForSequenceClassification

    judge = Qwen3ForSequenceClassification.from_pretrained(
        tmp_path / "judge" / "model", dtype=torch.float32
    )
    for pair in PAIRS:
        better, worse = (
            judge(input_ids=torch.tensor([pair.prompt_ids + ids])).logits.item()
            for ids in (pair.chosen_ids, pair.rejected_ids)
        )
        assert better > worse
