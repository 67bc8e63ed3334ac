"""Completions drawn from running servers, for whichever stage learns from them."""
