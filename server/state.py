"""What a running server has, as the routes see it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from fastapi import Request

from decoding.mathematics import Maths
from decoding.passages import Retriever
from server.admission import Admission, Ticket
from server.brownout import Brownout
from server.checkpoints.adapters import Adapters
from server.checkpoints.loader import LATEST, Checkpoints
from server.config import Settings
from server.engine.model import Model
from server.engine.preflight import CannotStart
from server.engine.supervisor import Condition
from server.engine.swapping import Engines
from server.errors import ApiError
from server.limits import Limits
from server.metrics import Metrics
from server.models import Models
from server.programs import Programs
from server.retrieval.embedding import EmbedderError, SentenceEmbedder
from server.retrieval.indexes import Indexes
from server.retrieval.service import SearchService

if TYPE_CHECKING:
    from server.tracing import Tracing


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    models: Models
    limits: Limits
    admission: Admission
    brownout: Brownout
    metrics: Metrics
    programs: Programs
    checkpoints: Checkpoints
    adapters: Adapters
    maths: Maths
    indexes: Indexes
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
        engines: Engines,
        condition: Callable[[], Condition],
        tracing: "Tracing | None" = None,
    ) -> "State":
        admission = Admission(settings.max_num_seqs, settings.max_queue, settings.queue_timeout)
        metrics = Metrics(admission, model.name)
        models = Models(model)
        checkpoints = Checkpoints(
            engines, models, admission.gate, Path(settings.model), settings.registry
        )
        return cls(
            settings,
            models,
            Limits(),
            admission,
            Brownout(settings.brownout, settings.brownout_floor),
            metrics,
            Programs(metrics, [tracing.watch] if tracing else []),
            checkpoints,
            Adapters(checkpoints, models, settings),
            Maths(),
            Indexes(
                settings.indexes,
                settings.passage_words,
                embedder=embedder_of(settings),
                services=settings.search_services,
            ),
            httpx.AsyncClient(),
            condition,
            started=int(time.time()),
            tracing=tracing,
        )

    async def begin(self) -> None:
        """Load what the settings name. Raises CannotStart."""
        try:
            await self.indexes.load()
        except EmbedderError as error:
            raise CannotStart(f"--embedder: {error}") from error
        for each in self.settings.adapters:
            name, _, version = each.partition("@")
            try:
                await self.adapters.load(name, version or LATEST)
            except ApiError as error:
                raise CannotStart(f"--adapters: {error}") from error
        for name, shares in self.settings.aliases.items():
            try:
                self.models.alias(name, shares)
            except ApiError as error:
                raise CannotStart(f"--aliases: {name}: {error}") from error

    async def close(self) -> None:
        self.adapters.close()
        await self.indexes.close()
        await self.maths.close()
        await self.http.aclose()
        if self.tracing:
            await self.tracing.close()

    async def retriever(self, name: str) -> Retriever:
        """A search service, or an index. Raises UnknownIndex."""
        if url := self.settings.search_services.get(name):
            return SearchService(name, str(url), self.http)
        return await self.indexes.get(name)

    @staticmethod
    def of(request: Request) -> "State":
        state = request.app.state.bide
        assert isinstance(state, State)
        return state

    def bound(self, name: str | None, ticket: Ticket) -> Model:
        """The model that answers a request: it stays until the ticket is closed.

        Raises UnknownModel.
        """
        model = self.models.resolve(name)
        ticket.use(model.uses)
        return model


def embedder_of(settings: Settings) -> SentenceEmbedder | None:
    return None if settings.embedder is None else SentenceEmbedder(settings.embedder)
