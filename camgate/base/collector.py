"""Python's collector of reference circles, which stops everything while it looks: how often, and at how much.

docs/design/gc.md has the pauses, measured.
"""

import gc

YOUNG_OBJECTS = 5_000
"""How many objects pile up before the new ones are looked at: a packet makes none, a join a hundred and fifty. With
Python's 700 it looked nine times a second while viewers joined."""
YOUNG_LOOKS = 1
"""After more looks than this at the new ones, the next takes those that stayed as well. With Python's 10 the viewers
of a storm of joins, 110,000 objects by then, were looked at in one go."""
OLDER_LOOKS = 80
"""And so many of these until all is looked at: as seldom as with Python's 10."""


def spare_the_start(young_objects: int) -> None:
    """Have it pass over what was loaded so far, which stays, and look at the new seldom and in small portions.

    young_objects: see YOUNG_OBJECTS; 0 leaves it as Python has it.
    """
    if not young_objects:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(young_objects, YOUNG_LOOKS, OLDER_LOOKS)
