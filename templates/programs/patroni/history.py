"""Whether two PostgreSQL servers whose timelines have one number share one history.

Two members that were promoted from one timeline have the same number after it, and Patroni, PostgreSQL and pg_rewind take the one for a standby of
the other. What tells them apart is where their timeline branches off, which its history file says, and the first record behind that place, which holds
the moment of the promotion.
"""

import re

# What is compared: more than the first record has.
WAL_BYTES = 128
_PAGE, _LONG_HEADER, _SHORT_HEADER = 8192, 40, 24
# The resource manager of the first record, and what it can be: a checkpoint, or the end of recovery.
# https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h
_XLOG, _FIRST = 0, (0x00, 0x10, 0x90)
_LONGEST = 256


def bytes_of(lsn):
    """An LSN as a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_of(lsn, size):
    """The name of the segment of WAL that holds an LSN in bytes, without its timeline, and the LSN's place in it."""
    number, offset = divmod(lsn, size)
    high, low = divmod(number, (1 << 32) // size)
    return f"{high:08X}{low:08X}", offset


def switches(text):
    """The switches that lead to a timeline, each as (timeline, LSN), from its history file."""
    return re.findall(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", text, re.MULTILINE)


def difference(timeline, own, other, size):
    """Returns how the histories of two servers on timelines of one number differ, or None where they don't or nothing can be compared.

    Each server is `history(timeline)`, the text of the history file or '', and `wal(name, offset, length)`, bytes of a file of pg_wal, fewer or none
    where they are gone; `size` is the size of a segment.
    """
    here, there = switches(own.history(timeline)), switches(other.history(timeline))
    if not here or not there:
        return None
    if here != there:
        return f"timeline {timeline} branches off at {here[-1][1]} of timeline {here[-1][0]} here, and at {there[-1][1]} of timeline {there[-1][0]} there"
    start = bytes_of(here[-1][1])
    # The records of a page follow its header.
    if start % size == 0:
        start += _LONG_HEADER
    elif start % _PAGE == 0:
        start += _SHORT_HEADER
    segment, offset = segment_of(start, size)
    name = f"{timeline:08X}{segment}"
    mine, theirs = (server.wal(name, offset, min(WAL_BYTES, size - offset)) for server in (own, other))
    length = _first_record(mine)
    if length and _first_record(theirs) and mine[:length] != theirs[:length]:
        return f"the WAL of timeline {timeline} behind {here[-1][1]} is another one here than there"
    return None


def _first_record(wal):
    """The length of the record that a promotion writes first; 0 for other bytes: a file of WAL that is used again holds old ones where nothing was written yet."""
    if len(wal) < 24:
        return 0
    length, info, manager = int.from_bytes(wal[:4], "little"), wal[16] & 0xF0, wal[17]
    return min(length, len(wal)) if manager == _XLOG and info in _FIRST and 24 <= length <= _LONGEST else 0
