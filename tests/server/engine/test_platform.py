from server.engine.platform import GIB, cpu_defaults


def test_defaults_leave_most_of_the_memory_alone() -> None:
    found = cpu_defaults(None, None)
    assert 0 < found.kv_cache_bytes <= 4 * GIB
    assert 0.05 <= found.memory_share <= 0.95
    assert found.threads >= 1


def test_what_is_asked_for_is_given() -> None:
    found = cpu_defaults(0.5, 3)
    assert (found.kv_cache_bytes, found.threads) == (GIB // 2, 3)
