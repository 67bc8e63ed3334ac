"""Settings that all tests share. The fakes are in `tests.scripted`."""

from hypothesis import settings

settings.register_profile("bide", deadline=None, max_examples=150)
settings.load_profile("bide")
