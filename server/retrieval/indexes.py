"""Indexes by name, in a folder: LanceDB's, embedded in this process."""

import asyncio
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.errors import IndexRefused, UnknownIndex
from server.retrieval.embedding import Embedder
from server.retrieval.index import QUIET, Index

if TYPE_CHECKING:
    from lancedb.db import AsyncConnection
    from lancedb.table import AsyncTable

EMBEDDER = "embedder"
"""What a table's metadata name the model by that its vectors are of."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Indexes:
    """root: None for none. words: of a passage at most. embedder: of the vectors that new indexes
    have; None for none."""

    def __init__(
        self,
        root: Path | None,
        words: int,
        quiet: float = QUIET,
        embedder: Embedder | None = None,
        services: Collection[str] = (),
    ) -> None:
        """services: other names that may be searched."""
        self.services = services
        self._root, self._words, self._quiet = root, words, quiet
        self._embedder = embedder
        self._connection: AsyncConnection | None = None
        self._open: dict[str, Index] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """What vectors are made with. Raises EmbedderError."""
        if self._embedder is not None:
            await self._embedder.load()

    async def names(self) -> list[str]:
        if self._root is None or not self._root.is_dir():
            return []
        found = await (await self._connected()).list_tables()
        return sorted(found.tables)

    async def create(self, name: str) -> Index:
        """Raises IndexRefused for a name that cannot be, or is there already."""
        if not NAME.fullmatch(name):
            raise IndexRefused(f"name: {name!r} should be letters, digits, - and _", "name")
        size = None if self._embedder is None else await self._embedder.size()
        async with self._lock:
            if name in await self.names():
                raise IndexRefused(f"name: there is an index {name!r} already", "name")
            import pyarrow as pa

            texts = ("id", "document", "digest", "title", "text", "searched")
            fields: list[Any] = [(each, pa.string()) for each in texts]
            made_with = {}
            if self._embedder is not None:
                fields.append(("vector", pa.list_(pa.float32(), size)))
                made_with = {EMBEDDER: self._embedder.name}
            schema = pa.schema(fields, metadata=made_with)
            table = await (await self._connected()).create_table(name, schema=schema)
            self._open[name] = await self._index(table)
            return self._open[name]

    async def get(self, name: str) -> Index:
        """Raises UnknownIndex."""
        if name in self._open:  # nobody waits for an index that is being made or dropped
            return self._open[name]
        async with self._lock:
            return await self._get(name)

    async def _get(self, name: str) -> Index:
        if name in self._open:
            return self._open[name]
        names = await self.names()
        if name not in names:
            known = ", ".join([*names, *self.services]) or "none"
            raise UnknownIndex(f"there is no index {name!r}, only {known}", "index")
        table = await (await self._connected()).open_table(name)
        self._open[name] = await self._index(table)
        return self._open[name]

    async def _index(self, table: "AsyncTable") -> Index:
        """A table that was being made when its server was killed may lack what is searched."""
        from lancedb.index import FTS

        if not await table.list_indices():
            config = FTS(stem=False, remove_stop_words=False, with_position=False)
            await table.create_index("searched", config=config)
        made_with = ((await table.schema()).metadata or {}).get(EMBEDDER.encode())
        name = None if made_with is None else made_with.decode()
        return Index(table, self._words, self._quiet, self._embedder, name)

    async def drop(self, name: str) -> None:
        """Raises UnknownIndex."""
        index = await self.get(name)
        await index.drop()
        async with self._lock:
            if self._open.get(name) is index:
                await (await self._connected()).drop_table(name)
                del self._open[name]

    async def close(self) -> None:
        for index in self._open.values():
            await index.close()
        if self._embedder is not None:
            self._embedder.close()

    async def _connected(self) -> "AsyncConnection":
        """Raises IndexRefused where this server keeps none."""
        if self._root is None:
            raise IndexRefused("this server keeps no indexes: it was started without --indexes")
        if self._connection is None:
            import lancedb

            self._connection = await lancedb.connect_async(self._root)
        return self._connection
