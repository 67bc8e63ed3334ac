"""Direct preference optimisation on TRL: pairs in, a checkpoint out.

The losses, of a policy π and the base π₀ it starts from, for the better and the worse completion:

    sigmoid             -log σ(β (log π/π₀(better) - log π/π₀(worse)))         arXiv 2305.18290
    length_normalized   the same with means over the tokens instead of sums   arXiv 2411.15124, 5.2
    simpo               length-normalised, without a base, ahead by a margin  arXiv 2405.14734
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import Qwen3ForCausalLM, set_seed
from trl import DPOConfig, DPOTrainer

from training.config import Recipe
from training.on_trl import adapters, on_disk, paired, publish, train
from training.preferences import Pair, fitting
from training.stages import PreferenceStage

SIMPO = "simpo"


class PairTrainer(DPOTrainer):  # type: ignore[misc]
    """TRL's, for pairs that are token ids already.

    SimPO is its length-normalised loss beside a base that is as sure of every better completion as
    can be, log π₀ = 0, and of each token of a worse one by margin / β less.
    """

    def __init__(self, *arguments: Any, reward_margin: float | None = None, **more: Any) -> None:
        """reward_margin: SimPO's γ / β; None for a base that is a model."""
        self._margin = reward_margin
        super().__init__(*arguments, **more)

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        if self._margin is None:
            return super()._precompute_ref_logps(dataset, name, batch_size)
        lengths = [len(ids) for ids in dataset["rejected_ids"]]
        worse = [-self._margin * length for length in lengths]
        with_better = dataset.add_column("ref_chosen_logps", [0.0] * len(dataset))
        return with_better.add_column("ref_rejected_logps", worse)


def run_stage(
    recipe: Recipe,
    stage: PreferenceStage,
    folder: Path,
    model: Qwen3ForCausalLM,
    tokenizer: Any,
    pairs: Sequence[Pair],
) -> str:
    """Learn, and leave the weights in folder/model; killed, the same call goes on from the last
    save. Returns a line that sums it up."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = fitting(pairs, stage)
    set_seed(recipe.run.seed)  # adapters are fresh
    trainer = PairTrainer(
        model=model,
        args=arguments(recipe, stage, folder),
        train_dataset=on_disk([asdict(pair) for pair in kept], folder),
        processing_class=tokenizer,
        peft_config=adapters(stage.lora, "CAUSAL_LM"),
        reward_margin=stage.margin / stage.beta if stage.loss == SIMPO else None,
    )
    updates = train(trainer, folder)
    publish(trainer, stage.lora, tokenizer, folder)
    return f"{stage.name}: {updates} updates on {len(kept)} pairs of {len(pairs)}"


def arguments(recipe: Recipe, stage: PreferenceStage, folder: Path) -> DPOConfig:
    normalised = stage.loss in ("length_normalized", SIMPO)
    return DPOConfig(
        loss_type=["sigmoid_norm" if normalised else "sigmoid"],
        beta=stage.beta,
        max_length=stage.longest,
        # Once, on the disk, under a hash of the pairs and of the base's weights.
        precompute_ref_log_probs=True,
        disable_dropout=True,
        **paired(recipe, stage, folder),
    )
