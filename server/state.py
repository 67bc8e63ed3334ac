"""What a running server has, as the routes see it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from fastapi import Request

from decoding.mathematics import Maths
from server.admission import Admission
from server.brownout import Brownout
from server.checkpoints.loader import Checkpoints
from server.config import NO_CAP, Settings
from server.engine.model import Model
from server.engine.supervisor import Condition
from server.engine.swapping import Swapping
from server.errors import UnknownModel
from server.limits import Limits
from server.metrics import Metrics
from server.programs import Programs

if TYPE_CHECKING:
    from server.tracing import Tracing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    served: Model
    limits: Limits
    admission: Admission
    brownout: Brownout
    metrics: Metrics
    programs: Programs
    checkpoints: Checkpoints
    maths: Maths
    http: httpx.AsyncClient
    """To ask verifiers."""
    condition: Callable[[], Condition]
    """Of the engine."""
    started: int
    tracing: "Tracing | None"

    @classmethod
    def build(
        cls,
        settings: Settings,
        model: Model,
        engine: Swapping,
        condition: Callable[[], Condition],
        tracing: "Tracing | None" = None,
    ) -> "State":
        admission = Admission(settings.max_num_seqs, settings.max_queue, settings.queue_timeout)
        metrics = Metrics(admission, model.name)
        if model.markers is None:
            settings = unbounded(settings)
        observers = [tracing.watch] if tracing else []
        programs = Programs(model.engine, metrics, observers)
        folder = Path(settings.model)
        return cls(
            settings,
            model,
            Limits(),
            admission,
            Brownout(settings.brownout, settings.brownout_floor),
            metrics,
            programs,
            Checkpoints(engine, admission.gate, model.name, folder, settings.registry),
            Maths(),
            httpx.AsyncClient(),
            condition,
            started=int(time.time()),
            tracing=tracing,
        )

    async def close(self) -> None:
        await self.maths.close()
        await self.http.aclose()
        if self.tracing:
            await self.tracing.close()

    @staticmethod
    def of(request: Request) -> "State":
        state = request.app.state.bide
        assert isinstance(state, State)
        return state

    def model(self, name: str | None) -> Model:
        """The model of that name; the served one where none is named."""
        if name is not None and name != self.served.name:
            raise UnknownModel(
                f"model: there is no {name!r}, only {self.served.name!r}",
                "model",
                "model_not_found",
            )
        return self.served


def unbounded(settings: Settings) -> Settings:
    """For a model without thoughts to bound: else every request would ask it for a bounded one."""
    bounds = {"thinking_budget": NO_CAP, "thinking_ceiling": NO_CAP}
    for name in bounds:
        if getattr(settings, name) != NO_CAP:
            flag = name.replace("_", "-")
            log.warning("--%s changes nothing: this model has no thinking markers", flag)
    return settings.model_copy(update=bounds)
