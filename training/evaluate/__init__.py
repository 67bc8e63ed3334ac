"""Test-time scaling measured through a running server."""
