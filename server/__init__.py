"""How it is served: HTTP in, policies over the engine, SSE or JSON out."""
