"""Telling other people's servers what becomes of cameras: signed, tried again, and never at the cost of pictures."""
