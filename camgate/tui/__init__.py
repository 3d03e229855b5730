"""What `camgate status` shows: cameras and the process of a camgate that runs, once or as a live screen.

It is a client of the API like any other and knows nothing of the daemon's insides. Two tasks of `live` listen and ask
(`link`); what they hear goes into a `board`, which is pure; `draw` turns the rows that fit the terminal into text.
"""
