"""The ground that every other package may stand on: errors, logging, the secrets they must not show."""
