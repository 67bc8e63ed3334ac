"""The processes of a learner: the first draws, judges and publishes; what it has its learner do,
the others do with theirs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from training.processes import Processes
from training.rl.learner import Learner
from training.rollouts.rollouts import Rollout
from training.saves import Saves


class Crew:
    """Of one process alone it is the learner itself."""

    def __init__(self, learner: Learner, folder: Path, processes: Processes) -> None:
        self.learner, self._processes = learner, processes
        self._saves = Saves(folder, processes)

    def learn(self, rollouts: Sequence[Rollout], scores: Tensor) -> dict[str, float]:
        self._processes.told(("learn", rollouts, scores))
        return self.learner.learn(rollouts, scores)

    def weights(self) -> dict[str, Any]:
        self._processes.told(("weights",))
        return self.learner.weights()

    def save(self, own: dict[str, Any]) -> None:
        self._processes.told(("save", own))
        self.learner.save(self._saves, own)

    def restore(self) -> dict[str, Any] | None:
        """Of all processes, before anything else."""
        return self.learner.restore(self._saves)

    def dismiss(self) -> None:
        """The stage is done; its saves are not wanted any more."""
        self._saves.drop()
        self._processes.told(("dismiss",))

    def follow(self) -> None:
        """What the first process has done, until it dismisses the crew."""
        while True:
            match self._processes.told(None):
                case ("learn", rollouts, scores):
                    self.learner.learn(rollouts, scores)
                case ("weights",):
                    self.learner.weights()
                case ("save", own):
                    self.learner.save(self._saves, own)
                case _:
                    return
