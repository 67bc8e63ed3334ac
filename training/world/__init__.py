"""Procedural problems in plain English with worked traces, some with planted slips."""
