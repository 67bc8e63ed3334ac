"""Vectors beside words: a fake embedder, and a real model of sentence-transformers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from server.errors import IndexRefused, SearchUnavailable
from server.retrieval.embedding import EmbedderError, SentenceEmbedder, Vector
from server.retrieval.index import RANK, Document, fused
from server.retrieval.indexes import Indexes

CAR = Document("car", "The automobile is red.")
BOAT = Document("boat", "A vessel on the water.")


class Meaning:
    """Knows that some words mean the same."""

    name = "meaning"
    topics = ("automobile car wheels", "vessel boat sails")

    async def load(self) -> None:
        """It is there."""

    async def size(self) -> int:
        return len(self.topics)

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        return [await self.query(text) for text in texts]

    async def query(self, text: str) -> Vector:
        words = set(text.lower().replace(".", "").split())
        hits = [float(len(words & set(topic.split()))) + 0.01 for topic in self.topics]
        length = sum(each**2 for each in hits) ** 0.5
        return [each / length for each in hits]

    def close(self) -> None:
        """Nothing is open."""


async def test_what_shares_no_word_is_found_by_its_meaning(tmp_path: Path) -> None:
    by_words = await Indexes(tmp_path / "words", 50).create("docs")
    await by_words.upsert([CAR, BOAT])
    assert await by_words.search("wheels", 5) == []
    index = await Indexes(tmp_path / "both", 50, embedder=Meaning()).create("docs")
    assert await index.upsert([CAR, BOAT]) == 2
    assert [each.id for each in await index.search("wheels", 5)] == ["car", "boat"]
    assert [each.id for each in await index.search("sails", 1)] == ["boat"]
    assert await index.found("?!", 5) == []
    assert await index.delete(["car"]) == 1
    assert [each.id for each in await index.search("wheels", 5)] == ["boat"]


async def test_both_together_come_first(tmp_path: Path) -> None:
    index = await Indexes(tmp_path, 50, embedder=Meaning()).create("docs")
    await index.upsert([Document("words", "Red, red paint."), CAR, BOAT])
    found = await index.found("red wheels automobile", 5)
    assert found[0].passage.id == "car"
    assert found[0].score > 1 / (RANK + 1)


def test_ranks_are_fused() -> None:
    a, b, c = ({"id": each} for each in "abc")
    found = fused([[a, b], [b, c]])
    assert [row["id"] for row, _ in found] == ["b", "a", "c"]
    assert found[0][1] == pytest.approx(1 / (RANK + 2) + 1 / (RANK + 1))


async def test_an_index_keeps_the_model_of_its_vectors(tmp_path: Path) -> None:
    await (await Indexes(tmp_path, 50, embedder=Meaning()).create("docs")).upsert([CAR])
    again = await Indexes(tmp_path, 50, embedder=Meaning()).get("docs")
    assert [each.id for each in await again.search("wheels", 5)] == ["car"]
    other = Meaning()
    other.name = "other"
    for embedder in (None, other):
        indexes = Indexes(tmp_path, 50, embedder=embedder)
        index = await indexes.get("docs")
        with pytest.raises(IndexRefused, match=r"vectors are of meaning: .* --embedder"):
            await index.search("wheels", 5)
        with pytest.raises(IndexRefused, match="--embedder"):
            await index.upsert([BOAT])
        assert await index.count() == 1
        assert await index.missing({"boat": ""}) == ["boat"]
    await indexes.drop("docs")
    assert await indexes.names() == []


async def test_who_had_an_index_that_is_dropped_is_told(tmp_path: Path) -> None:
    indexes = Indexes(tmp_path, 50)
    index = await indexes.create("docs")
    await indexes.drop("docs")
    with pytest.raises(SearchUnavailable, match="dropped"):
        await index.search("red", 5)
    with pytest.raises(SearchUnavailable, match="dropped"):
        await index.upsert([CAR])


async def test_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    embedder = SentenceEmbedder(str(tmp_path / "nowhere"))
    with pytest.raises(EmbedderError, match="nowhere"):
        await embedder.load()
    embedder.close()


async def test_one_without_vectors_has_none_later(tmp_path: Path) -> None:
    await (await Indexes(tmp_path, 50).create("docs")).upsert([CAR])
    index = await Indexes(tmp_path, 50, embedder=Meaning()).get("docs")
    assert await index.search("wheels", 5) == []
    assert [each.id for each in await index.search("red", 5)] == ["car"]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentenceEmbedder]:
    """The shipped reasoner's embeddings, averaged: no good vectors, but a real model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    reasoner = Transformer("training/released/bide-mini", max_seq_length=64)
    folder = tmp_path_factory.mktemp("embedder")
    size = reasoner.get_embedding_dimension()
    SentenceTransformer(modules=[reasoner, Pooling(size)], device="cpu").save(str(folder))
    embedder = SentenceEmbedder(str(folder))
    yield embedder
    embedder.close()


async def test_a_model_of_sentence_transformers_embeds(
    real: SentenceEmbedder, tmp_path: Path
) -> None:
    vectors = await real.passages([f"There are {n} apples." for n in range(40)])
    assert len(vectors) == 40
    assert {len(each) for each in vectors} == {await real.size()}
    assert sum(each**2 for each in vectors[0]) == pytest.approx(1, abs=1e-4)
    assert await real.query("There are 3 apples.") == pytest.approx(vectors[3], abs=1e-4)
    index = await Indexes(tmp_path, 50, embedder=real).create("docs")
    await index.upsert([Document(str(n), f"There are {n} apples.") for n in range(40)])
    assert (await index.search("There are 3 apples.", 1))[0].id == "3"
