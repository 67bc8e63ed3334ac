"""Memory settings go to this process, once, and to those that it starts."""

import json
import subprocess
import sys

import pytest

from server.memory import MAPPED

SCRIPT = """
import json, os
from server.memory import keep_even
keep_even()
print(json.dumps({k: v for k, v in os.environ.items() if k.startswith(("MALLOC_", "ONEDNN_"))}))
"""


@pytest.mark.parametrize(
    "given", [{}, {"MALLOC_ARENA_MAX": "7"}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "9"}]
)
def test_what_the_environment_says_counts(given: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=given, capture_output=True, text=True, check=True
    )
    expected = {
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128",
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": str(MAPPED),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
    }
    assert json.loads(done.stdout) == expected | given
