"""What each API says and hears; one file an API."""
