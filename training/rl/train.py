"""One stage of reinforcement learning: from a checkpoint's folder to a better one's.

The stage's folder holds `log.jsonl`, the same for TensorBoard, `registry/` with the versions that
the servers load, `resume-…/` while it runs, and once it is done `curves.svg` and `model/`: of the
step that did best on held-out problems.

    draw batch k+1 with version k  |  learn from batch k  →  publish version k+1  →  load it

Where batches overlap, the servers draw while the learner learns, and every batch is one version
old. It is known which: see `training/rollouts`.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from training.config import Recipe
from training.curves import draw
from training.log import Log, progress
from training.processes import joined
from training.registry import Registry, Version
from training.rl.crew import Crew
from training.rl.drawing import Batch, Drawing
from training.rl.learner import Learner
from training.rl.rewards import Rewards
from training.rollouts.questions import Questions, held_out
from training.rollouts.rollouts import Rollouts
from training.rollouts.servers import serving
from training.saves import aside
from training.stages import RlStage

KEPT = 3
"""Versions that stay in the registry, beside the best: the servers', and those about to be."""

BEST = "best"


class Stage:
    def __init__(
        self,
        recipe: Recipe,
        stage: RlStage,
        folder: Path,
        model: Any,
        tokenizer: Any,
        judge: Any = None,
    ) -> None:
        """Raises UnknownVerifier and RowError, before anything is learnt."""
        self.recipe, self.stage, self.folder, self.tokenizer = recipe, stage, folder, tokenizer
        self.rewards = Rewards(stage)
        self.questions = Questions(recipe, stage, self._fits)
        self.drawing = Drawing(stage, self.questions, self.rewards, recipe.run.seed)
        self.exam = held_out(stage.task, recipe.run.seed, stage.held_out)
        folder.mkdir(parents=True, exist_ok=True)
        self.registry = Registry(stage.registry or folder / "registry")
        self.log = Log(folder, shown=joined().is_first)
        learner = Learner(recipe, stage, model, int(tokenizer.pad_token_id), judge)
        self.crew = Crew(learner, folder, joined())
        self.best: tuple[float, str] | None = None
        self.began = time.perf_counter()

    def _fits(self, question: str) -> bool:
        """Whether there is room for an answer behind it, in the longest that is learnt from."""
        turns = [{"role": "user", "content": question}]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        size = len(self.tokenizer.encode(text, add_special_tokens=False))
        return size + self.stage.max_tokens <= self.recipe.batches.lengths[-1]

    @property
    def learner(self) -> Learner:
        return self.crew.learner

    @property
    def name(self) -> str:
        """In the registry, which other runs may share."""
        return f"{self.recipe.name}-{self.stage.name}-seed{self.recipe.run.seed}"

    async def run(self) -> None:
        drawer, ahead = self._begun()
        learner, steps = self.learner, self.stage.steps
        async with self.servers(drawer) as servers:
            await servers.load(drawer.name, drawer.id)
            with progress(self.stage.name, steps, learner.step) as bar:
                if learner.step == 0:
                    await self._evaluate(servers, drawer)
                batch: Batch | None = None
                if learner.step < steps:
                    batch = await self.drawing.batch(servers, str(drawer), learner.step)
                drawer = await self._hand_over(servers, drawer, ahead)
                while batch is not None:
                    batch, drawer = await self._step(servers, batch, drawer)
                    bar.update(bar.task_ids[0], completed=learner.step)
        self._finish()

    @asynccontextmanager
    async def servers(self, drawer: Version) -> AsyncGenerator[Rollouts, None]:
        """Those of the recipe, or one that is started with the drawer's weights."""
        async with serving(self.stage.servers, self.registry.root, drawer) as urls:
            servers = Rollouts(urls, self._options(), at_once=2 * self.stage.prompts)
            try:
                yield servers
            finally:
                await servers.close()

    async def _step(
        self, servers: Rollouts, batch: Batch, drawer: Version
    ) -> tuple[Batch | None, Version]:
        """Learn from a batch, and draw the next one: beside it, or after it."""
        learner, began = self.learner, time.perf_counter()
        following, drawing = learner.step + 1, None
        more = following < self.stage.steps
        if more and self.stage.overlap:
            drawing = asyncio.create_task(self.drawing.batch(servers, str(drawer), following))
        figures = await asyncio.to_thread(self.crew.learn, batch.rollouts, batch.scores)
        learnt = time.perf_counter() - began
        ahead = self._publish()
        next_batch = await drawing if drawing is not None else None
        await self._hand_over(servers, drawer, ahead)
        if more and next_batch is None:
            next_batch = await self.drawing.batch(servers, str(ahead), following)
        self._note(batch, figures, learnt, time.perf_counter() - began)
        # The last one is no better than the best only because it was never looked at.
        if learner.step % self.stage.evaluate_every == 0 or not more:
            await self._evaluate(servers, ahead)
        self._save(drawer if self.stage.overlap else ahead, ahead)
        return next_batch, ahead

    def _begun(self) -> tuple[Version, Version]:
        """The versions that the next batch is drawn with, and that the servers load after it."""
        saved = self.crew.restore()
        if saved is None:
            self.log.resume(-1)
            version = self._publish()
            return version, version
        if saved["best"] is not None:
            self.best = (saved["best"][0], saved["best"][1])
            self.registry.tag(self.name, BEST, self.best[1])
        self.log.resume(self.learner.step)
        find = self.registry.resolve
        return find(self.name, saved["drawer"]), find(self.name, saved["ahead"])

    def _publish(self) -> Version:
        folder = self.folder / "version.unfinished"
        shutil.rmtree(folder, ignore_errors=True)
        self.learner.model.save_pretrained(folder, state_dict=self.crew.weights())
        self.tokenizer.save_pretrained(folder)
        lineage = {"recipe": self.recipe.name, "stage": self.stage.name, "step": self.learner.step}
        version = self.registry.publish(folder, self.name, lineage)
        shutil.rmtree(folder)
        return version

    def _save(self, drawer: Version, ahead: Version) -> None:
        best = None if self.best is None else list(self.best)
        self.crew.save({"drawer": drawer.id, "ahead": ahead.id, "best": best})
        # Not before: until now a resumed run would have wanted those that the last save named.
        self.registry.gc(self.name, KEPT, [drawer.id, ahead.id])

    async def _hand_over(self, servers: Rollouts, drawer: Version, ahead: Version) -> Version:
        """From now on the servers draw with `ahead`; a resumed run may want the other again."""
        if ahead != drawer:
            await servers.load(ahead.name, ahead.id)
        return ahead

    async def _evaluate(self, servers: Rollouts, version: Version) -> None:
        """Greedy accuracy on problems of the dev split; the best version is tagged."""
        texts = [question.text for question in self.exam]
        drawn = await servers.groups(texts, 1, version=str(version), seed=0, temperature=0)
        scores = [
            self.rewards.score(group[0].text, question.label, question.verifier)
            for question, group in zip(self.exam, drawn, strict=True)
        ]
        score = sum(scores) / len(scores)
        length = sum(len(group[0].completion) for group in drawn) / len(drawn)
        if self.best is None or score > self.best[0]:
            self.best = (score, version.id)
            self.registry.tag(self.name, BEST, version.id)
        self.log.write(step=self.learner.step, held_out=score, held_out_tokens=length)

    def _note(self, batch: Batch, figures: dict[str, float], learnt: float, seconds: float) -> None:
        self.log.write(
            step=self.learner.step,
            **batch.figures(),
            **figures,
            elapsed_seconds=time.perf_counter() - self.began,
            learning_seconds=learnt,
            seconds=seconds,
            idle=1 - learnt / seconds,
            staleness=int(self.stage.overlap and self.learner.step > 1),
        )

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "temperature": self.stage.temperature,
            "max_tokens": self.stage.max_tokens,
        }
        return {**options, "thinking": self.stage.thinking} if self.stage.thinking else options

    def _finish(self) -> None:
        best = self.registry.resolve(self.name, BEST)
        ignored = shutil.ignore_patterns("COMPLETE", "manifest.json")
        with aside(self.folder / "model") as unfinished:
            shutil.copytree(best.folder, unfinished, ignore=ignored)
            draw(self.log.path, self.folder / "curves.svg")
        self.crew.dismiss()


def run_stage(
    recipe: Recipe,
    stage: RlStage,
    folder: Path,
    model: Any,
    tokenizer: Any,
    judge: Any = None,
) -> str:
    """Learn, and leave the best weights in folder/model. Returns a line that sums it up.

    judge: a reward model that PPO's values start from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Stage(recipe, stage, folder, model, tokenizer, judge)
    if not joined().is_first:
        made.crew.restore()
        made.crew.follow()
        return ""
    asyncio.run(made.run())
    assert made.best is not None, "a stage is evaluated at its start"
    return f"{stage.name}: {stage.steps} steps, {made.best[0]:.1%} of the dev split at its best"
