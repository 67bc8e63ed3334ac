"""Other weights for the model that is served, while it is served."""
