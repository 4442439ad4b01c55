"""The cases, in the order in which they begin: those that take longest come first.

Each has a half with the fix, which fails by itself, and some have one without, which returns the damage that was done: lost rows, clients
that hang. The half without is tried up to three times.
"""

from . import clocks, flip, histories, late, lawful, rewind, stale

# name: (with the fix, without)
CASES = {
    "cable": (stale.cable_with, stale.cable_without),
    "freeze": (stale.freeze_with, stale.freeze_without),
    "late": (late.with_, late.without),
    "unfenced": (stale.unfenced_with, None),
    "lawful": (lawful.run, None),
    "clocks": (clocks.run, None),
    "histories": (histories.with_, histories.without),
    "rewind": (rewind.run, None),
    "flip": (flip.with_, flip.without),
}
