"""What a campaign prints: a line for each round, and a table with a row for each kind of fault."""

from .load import MODES
from .verdict import median_and_worst


def line(number, count, seen):
    """One round."""
    faults = " + ".join(f"{fault['kind']} ({fault['role']}, {fault.get('host', 'no host yet')}, {fault['seconds']:.1f} s from {fault['at']:.1f})"
                        for fault in seen.faults)
    healed = "never" if seen.healed is None else f"{seen.healed:.1f} s"
    rows = ", ".join(f"{seen.rows.get(mode, 0)} {mode}" for mode in MODES)
    lost = ", ".join(f"{seen.lost[mode]} {mode}" for mode in sorted(seen.lost) if seen.lost[mode]) or "none"
    overlap = f"{max(each['seconds'] for each in seen.overlaps):.3f} s" if seen.overlaps else "none"
    said = "passed" if not seen.failures else "FAILED: " + "; ".join(seen.failures)
    return (f"round {number} of {count}, seed {seen.seed}: {faults}: gap {seen.gap:.1f} s, healed {healed}, rows {rows}, lost {lost}, overlap {overlap}, "
            f"hanging {len(seen.hanging)}: {said}")


def table(rounds, commit, seed):
    """All rounds, as Markdown."""
    kinds = {}
    for seen in rounds:
        # One that did not begin, because the other was in its way, shows nothing.
        for kind in {fault["kind"] for fault in seen.faults if fault.get("is_begun")}:
            kinds.setdefault(kind, []).append(seen)
    failed = sum(bool(seen.failures) for seen in rounds)
    restores = sum(any(note.startswith("restored") for note in seen.notes) for seen in rounds)
    lines = [f"`tests/lab/run campaign --rounds {len(rounds)} --seed {seed}` on {commit}: {len(rounds)} rounds, {failed} failed, {restores} of them restored "
             "to a random moment. Times are median / worst. A round of two faults counts for both.", "",
             "| fault | rounds | failed | gap in writes | healthy after its end | rows lost, synchronous | rows lost, local | overlaps of two primaries |",
             "|---|---|---|---|---|---|---|---|"]
    for kind, its in [*sorted(kinds.items()), ("all", rounds)]:
        never = sum(seen.healed is None for seen in its)
        healed = median_and_worst([seen.healed for seen in its if seen.healed is not None]) + (f", {never} never" if never else "")
        synchronous = sum(count for seen in its for mode, count in seen.lost.items() if mode in ("on", "remote_apply"))
        local = sum(count for seen in its for mode, count in seen.lost.items() if mode not in ("on", "remote_apply"))
        worst = max((overlap["seconds"] for seen in its for overlap in seen.overlaps), default=0)
        overlaps = sum(len(seen.overlaps) for seen in its)
        lines.append(f"| {kind} | {len(its)} | {sum(bool(seen.failures) for seen in its)} | {median_and_worst([seen.gap for seen in its])} | {healed} "
                     f"| {synchronous} | {local} | {overlaps}{f', at most {worst:.2f} s' if overlaps else ''} |")
    return "\n".join(lines) + "\n"
