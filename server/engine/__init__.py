"""The engine behind `decoding.engine.Engine`, and the only imports of vLLM."""
