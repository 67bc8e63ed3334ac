"""The policy learns what is rewarded, by either algorithm, from the weights that drew it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3ForSequenceClassification

from tests.training.rl.small import END, RIGHT, WRONG, model, recipe, rollout
from training.processes import joined
from training.rl.batches import micros
from training.rl.learner import Learner
from training.saves import Saves

BATCH = [rollout(RIGHT, END), rollout(WRONG, END), rollout(RIGHT, END), rollout(WRONG, END)] * 2
SCORES = torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 2)


def learner(seed: int = 0, judge: Any = None, **stage: Any) -> Learner:
    made, only = recipe(**stage)
    return Learner(made, only, model(seed), 0, judge)


def preference(found: Learner) -> float:
    """How much likelier the right token is than the wrong one."""
    with torch.no_grad():
        logits = found.model(input_ids=torch.tensor([[1, 2, 3]])).logits[0, -1]
    return float(logits[RIGHT] - logits[WRONG])


@pytest.mark.parametrize(
    "stage",
    [
        {"overlap": False},
        {"overlap": True, "kl": 0.01},
        {"divide_by_std": True, "aggregation": "sequence-mean", "minibatches": 2, "epochs": 2},
        {"algorithm": "ppo", "value_warmup": 1},
        {"algorithm": "ppo", "kl": 0.01, "kl_in": "reward", "scale": 10.0},
    ],
)
def test_it_learns_what_is_rewarded(stage: dict[str, Any]) -> None:
    found = learner(**stage)
    before = preference(found)
    figures = [found.learn(BATCH, SCORES) for _ in range(8)]
    assert preference(found) > before + 0.5
    assert found.step == 8
    assert figures[-1]["ratio"] > 0


def test_values_learn_first() -> None:
    found = learner(algorithm="ppo", value_warmup=2, value_learning_rate=1e-2)
    before = preference(found)
    losses = [found.learn(BATCH, SCORES)["value_loss"] for _ in range(2)]
    assert losses[1] < losses[0]
    assert preference(found) == before
    found.learn(BATCH, SCORES)
    assert preference(found) != before


def test_values_start_from_a_reward_model() -> None:
    torch.manual_seed(3)
    config = model().config
    config.num_labels = 1
    judge = Qwen3ForSequenceClassification(config)
    found = learner(judge=judge, algorithm="ppo")
    assert found.values is not None
    ids = torch.tensor([[1, 2, 3]])
    expected = judge(input_ids=ids).logits.squeeze()
    torch.testing.assert_close(found.values(ids)[0, -1], expected)


def test_the_drawer_is_what_drew_the_batch() -> None:
    """With overlap a batch is one update old when it is learnt from, else none."""
    for overlap, staleness in ((True, 1), (False, 0)):
        found = learner(overlap=overlap)
        weights = []
        for _ in range(3):
            weights.append({k: v.clone() for k, v in found.model.state_dict().items()})
            found.learn(BATCH, SCORES)
        # Now batch 3 is due: drawn by the weights before the last update, or after it.
        weights.append(found.model.state_dict())
        expected = weights[3 - staleness]
        for name, tensor in found.drawer.state_dict().items():
            assert torch.equal(tensor, expected[name]), (overlap, name)


def test_a_restored_learner_takes_the_same_course(tmp_path: Path) -> None:
    for number, stage in enumerate(({"kl": 0.01}, {"algorithm": "ppo", "value_warmup": 0})):
        whole, cut = learner(**stage), learner(**stage)
        for found in (whole, cut):
            for _ in range(2):
                found.learn(BATCH, SCORES)
        other = learner(**stage)
        (tmp_path / str(number)).mkdir()
        saves = Saves(tmp_path / str(number), joined())
        cut.save(saves, {"said": 1})
        assert other.restore(saves) == {"said": 1, "step": 2}
        assert whole.learn(BATCH, SCORES) == other.learn(BATCH, SCORES)
        for name, tensor in whole.model.state_dict().items():
            assert torch.equal(tensor, other.model.state_dict()[name])


def test_memory_pieces_do_not_change_what_is_learnt() -> None:
    gradients = []
    for tokens in (16, 1024):
        made, only = recipe(overlap=False)
        made = made.model_copy(
            update={"batches": made.batches.model_copy(update={"tokens": tokens})}
        )
        found = Learner(made, only, model(), 0)
        found.learn(BATCH, SCORES)
        gradients.append(found.model.model.embed_tokens.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-2, atol=1e-5)


def test_pieces_have_one_shape_a_length() -> None:
    made, _ = recipe()
    rows = [rollout(*[5] * size) for size in (1, 2, 5, 6, 12)]
    found = list(micros(rows, made.batches, 0))
    assert [tuple(piece.ids.shape) for piece in found] == [(8, 8), (4, 16)]
    assert sorted(int(row) for piece in found for row in piece.rows) == [0, 1, 2, 3, 4]
    for piece in found:
        for at, row in enumerate(piece.rows):
            drawn = piece.targets[at][piece.mask[at] > 0]
            assert tuple(drawn.tolist()) == rows[int(row)].completion
        assert piece.mask[len(piece.rows) :].sum() == 0
    with pytest.raises(ValueError, match=r"a rollout of 23 tokens: batches\.lengths ends at 16"):
        list(micros([rollout(*[5] * 20)], made.batches, 0))
