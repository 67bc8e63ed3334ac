"""Settings that all tests share. The fakes are in `tests.scripted`."""

import pytest
from hypothesis import settings

settings.register_profile("bide", deadline=None, max_examples=150)
settings.load_profile("bide")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, a file's stay together, and those that share a real engine."""
    for item in items:
        shares = {"server", "swapped", "reader"} & set(getattr(item, "fixturenames", ()))
        is_real = item.get_closest_marker("real") is not None
        group = "real" if shares and is_real else item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
