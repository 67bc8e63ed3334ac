"""Schema to policy to stream; no logic."""
