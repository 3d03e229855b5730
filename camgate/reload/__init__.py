"""Taking another config while camgate runs, and what makes it look for one: a signal, the file itself, the API."""
