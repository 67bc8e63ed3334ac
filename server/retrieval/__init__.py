"""Documents that answers may rest on: indexed, and found again."""
