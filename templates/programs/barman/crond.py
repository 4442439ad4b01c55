#!/usr/bin/env python3
"""Runs the lines of a crontab, in UTC, without being root.

Cron daemons need root, which in a pod could become Nebula's user and leave by its hole in the egress lock.

A line is five fields (numbers, names, `*`, lists, ranges, steps) and a command for /bin/sh. Where neither day of month nor
day of week is `*`, either may match. Output goes where ours goes. A line whose last run hasn't ended is skipped.
"""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
FIELDS = [(0, 59, []), (0, 23, []), (1, 31, []), (1, 12, MONTHS), (0, 7, DAYS)]
LONGEST_PAUSE = timedelta(hours=1)


def say(text):
    """Writes one line to the journal."""
    print("crond:", text, file=sys.stderr, flush=True)


def number(text, first, names):
    """Reads a number or a name."""
    text = text.lower()
    return names.index(text) + first if text in names else int(text)


def values(field, first, last, names):
    """Returns the set of numbers that a field means."""
    found = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span == "*":
            low, high = first, last
        else:
            low = number(low, first, names)
            high = number(high, first, names) if dash else (last if step else low)
        if not first <= low <= high <= last:
            raise ValueError(f"{part!r} is not within {first} to {last}")
        found.update(range(low, high + 1, int(step or 1)))
    return found


def parse(line):
    """Returns the five sets, whether each day field is free, and the command."""
    *fields, command = line.split(None, 5)
    minutes, hours, days, months, weekdays = (
        values(field, *limits) for field, limits in zip(fields, FIELDS, strict=True)
    )
    weekdays = {day % 7 for day in weekdays}
    return minutes, hours, days, months, weekdays, fields[2] == "*", fields[4] == "*", command


def matches(entry, at):
    """Says whether an entry is due in the minute `at`."""
    minutes, hours, days, months, weekdays, any_day, any_weekday, _ = entry
    if at.minute not in minutes or at.hour not in hours or at.month not in months:
        return False
    by_day, by_weekday = at.day in days, at.isoweekday() % 7 in weekdays
    return by_day and by_weekday if any_day or any_weekday else by_day or by_weekday


def due(path, after, until):
    """Returns the commands that are due after one minute, until another, each once."""
    with open(path, encoding="utf-8") as crontab:
        lines = [line.strip() for line in crontab]
    commands = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        try:
            entry = parse(line)
        except ValueError as error:
            say(f"skipping {line!r}: {error}")
            continue
        at = after
        while at < until:
            at += timedelta(minutes=1)
            if matches(entry, at):
                commands.append(entry[-1])
                break
    return commands


def this_minute():
    """Returns the minute that has begun."""
    return datetime.now(timezone.utc).replace(second=0, microsecond=0)


def stop(running):
    """Ends what still runs, so that a backup can note that it failed."""
    for process in running.values():
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    for process in running.values():
        process.wait()


def main(path):
    """Runs what is due, minute by minute, until it is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running = {}
    done = this_minute() - timedelta(minutes=1)
    say(f"running {path}")
    try:
        while True:
            now = this_minute()
            if done - now > LONGEST_PAUSE / 12:
                done = now  # The clock was set back.
            running = {line: process for line, process in running.items() if process.poll() is None}
            # After a pause of the machine what was missed runs once, unless it lies too far back.
            for command in due(path, max(done, now - LONGEST_PAUSE), now):
                if command in running:
                    say(f"still running: {command}")
                else:
                    running[command] = subprocess.Popen(
                        command, shell=True, stdin=subprocess.DEVNULL, start_new_session=True
                    )
            done = max(done, now)
            time.sleep(60 - time.time() % 60)
    finally:
        stop(running)


if __name__ == "__main__":
    main(sys.argv[1])
