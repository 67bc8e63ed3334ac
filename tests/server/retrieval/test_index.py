"""Documents come, change, go and are found, by the real LanceDB."""

import asyncio
from pathlib import Path

import pytest

from server.errors import IndexRefused, UnknownIndex
from server.retrieval.index import Document, Index
from server.retrieval.indexes import Indexes

RIVER = Document("river", "The Ulm has 3 bridges.", "Ulm", "r1")
TOWER = Document("o'tower", "The tower is 7 high.", digest="t1")


async def made(tmp_path: Path, words: int = 50) -> Index:
    return await Indexes(tmp_path / "indexes", words).create("docs")


async def found(index: Index, query: str, count: int = 5) -> list[str]:
    return [each.id for each in await index.search(query, count)]


async def test_what_is_added_is_found(tmp_path: Path) -> None:
    index = await made(tmp_path)
    assert await found(index, "bridges") == []
    assert await index.upsert([RIVER, TOWER]) == 2
    assert await found(index, "How many bridges?") == ["river"]
    assert await found(index, "ULM") == ["river"]
    (tower,) = await index.search("tower", 5)
    assert (tower.id, tower.title, tower.text) == ("o'tower", "", TOWER.text)
    for nothing in ("zebra", "", "?!", "AND OR (", '"'):
        assert await found(index, nothing) == []


async def test_a_document_is_replaced_with_all_its_passages(tmp_path: Path) -> None:
    index = await made(tmp_path, words=10)
    long = Document("long", "\n\n".join(f"part{i} " + "word " * 9 for i in range(5)))
    assert await index.upsert([long, RIVER]) == 6
    assert await index.upsert([Document("long", "part9 alone")]) == 1
    assert await index.count() == 2
    assert await found(index, "part3") == []
    assert await found(index, "part9") == ["long"]
    assert await index.upsert([Document("long", " \n ")]) == 0
    assert await found(index, "part9") == []
    assert await found(index, "bridges") == ["river"]


async def test_of_two_with_one_id_the_last_counts(tmp_path: Path) -> None:
    index = await made(tmp_path)
    await index.upsert([Document("a", "first"), Document("a", "second")])
    assert await found(index, "first") == []
    assert await found(index, "second") == ["a"]


async def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    index = await made(tmp_path)
    await index.upsert([RIVER, TOWER])
    assert await index.delete(["o'tower", "none"]) == 1
    assert await found(index, "tower") == []
    assert await index.delete([]) == 0


async def test_what_is_missing_is_told_by_digest(tmp_path: Path) -> None:
    index = await made(tmp_path)
    await index.upsert([RIVER, TOWER])
    asked = {"river": "r1", "o'tower": "t2", "new": "n1"}
    assert await index.missing(asked) == ["o'tower", "new"]
    assert await index.missing({}) == []


async def test_an_index_is_there_when_a_server_comes_back(tmp_path: Path) -> None:
    await (await made(tmp_path)).upsert([RIVER])
    again = Indexes(tmp_path / "indexes", 50)
    assert await again.names() == ["docs"]
    assert await found(await again.get("docs"), "bridges") == ["river"]
    with pytest.raises(IndexRefused, match="already"):
        await again.create("docs")
    await again.drop("docs")
    with pytest.raises(UnknownIndex, match="no index 'docs', only none"):
        await again.get("docs")


@pytest.mark.parametrize("name", ["", "A", "../x", "a b", "-a", "a" * 64])
async def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(IndexRefused, match="should be"):
        await Indexes(tmp_path, 50).create(name)


async def test_a_server_without_a_folder_has_none() -> None:
    none = Indexes(None, 50)
    assert await none.names() == []
    with pytest.raises(IndexRefused, match="--indexes"):
        await none.create("docs")
    with pytest.raises(UnknownIndex):
        await none.get("docs")


async def test_many_are_added_and_searched_at_once(tmp_path: Path) -> None:
    index = await made(tmp_path)

    async def add(batch: int) -> None:
        names = [f"d{batch}x{i}" for i in range(50)]
        await index.upsert([Document(name, f"name {name}") for name in names])

    await asyncio.gather(*(add(batch) for batch in range(8)))
    assert await index.count() == 400
    hits = await asyncio.gather(*(found(index, f"d{batch}x7", 1) for batch in range(8)))
    assert hits == [[f"d{batch}x7"] for batch in range(8)]


async def test_the_index_catches_up_once_it_is_quiet(tmp_path: Path) -> None:
    indexes = Indexes(tmp_path / "indexes", 50, quiet=0.01)
    index = await indexes.create("docs")
    await index.upsert([Document(f"d{i}", f"word{i}") for i in range(100)])
    await index.upsert([RIVER])
    while (stats := await index._table.index_stats("searched_idx")) and stats.num_unindexed_rows:
        await asyncio.sleep(0.01)
    assert stats is not None
    assert stats.num_indexed_rows == 101
    await indexes.close()
