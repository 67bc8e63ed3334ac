"""What to sample: short programs of engine calls on token ids, over a protocol."""
