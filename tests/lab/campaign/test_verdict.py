"""Whether each verdict can fail, from made-up logs, without a host: `cd tests/lab && python3 -m unittest campaign.test_verdict`."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest
import unittest.mock

from lab import places
from lab.host import Failed

from . import faults, rounds, table, verdict

# Three members; `a` was the primary on timeline 5 until second 10, `b` is it on timeline 6 from second 20.
HOSTS = {"10.0.0.1": "a", "10.0.0.2": "b"}


def row(number, mode="on", at=0.0, member="a", timeline=5, source="proxy-a-on", acknowledged=None):
    """A row of the log."""
    return verdict.Row(source, number, mode, at, at + 0.01 if acknowledged is None else acknowledged, member, timeline)


def log():
    """A round without a flaw: 20 rows a second, a failover, 10 s of silence."""
    old = [row(number, ["on", "remote_apply", "local"][number % 3], number * 0.05) for number in range(200)]
    new = [row(200 + number, ["on", "remote_apply", "local"][number % 3], 20 + number * 0.05, "b", 6) for number in range(200)]
    return old + new


def judged(rows=None, present=None, sums=None, before=None, is_host_frozen=False, healed=20.0):
    """The verdict on a round: everything in order, but for what is given."""
    rows = log() if rows is None else rows
    seen = verdict.Round(1, [], healed=healed)
    keys = {row.key for row in rows}
    sums = sums or {name: {"t": "400 7"} for name in "abc"}
    verdict.judge(seen, rows, present or {name: set(keys) for name in "abc"}, sums, before or {"t": "400 7"}, is_host_frozen)
    return seen


class Verdict(unittest.TestCase):
    """A sound round passes, and each flaw alone fails it."""

    def test_sound_round_passes(self):
        seen = judged()
        self.assertEqual((seen.failures, seen.overlaps, seen.lost, seen.is_over), ([], [], {}, False))
        self.assertEqual(seen.rows, {"on": 134, "remote_apply": 134, "local": 132})

    def test_line_of_the_log(self):
        read = verdict.Row.read("member-db1-local\t7\tlocal\t1.5\t1.75\t10.0.0.2\t0000001A", HOSTS)
        self.assertEqual(read, verdict.Row("member-db1-local", 7, "local", 1.5, 1.75, "b", 26))

    def test_one_lost_row_fails_in_each_safe_mode(self):
        for number, mode in [(0, "on"), (1, "remote_apply")]:
            keys = {row.key for row in log()}
            seen = judged(present={"a": keys, "b": keys - {("proxy-a-on", number)}, "c": keys})
            self.assertEqual(seen.failures, [f"b lacks acknowledged rows: {{'{mode}': 1}}"])
            self.assertEqual(seen.lost, {mode: 1})

    def test_lost_local_row_is_counted_and_no_failure(self):
        keys = {row.key for row in log()} - {("proxy-a-on", 2)}
        seen = judged(present={name: keys for name in "abc"})
        self.assertEqual((seen.failures, seen.lost), ([], {"local": 1}))

    def test_row_of_another_source_with_the_same_number_is_no_stand_in(self):
        keys = {("proxy-b-on", row.number) for row in log()}
        self.assertTrue(judged(present={"a": keys}).failures)

    def test_members_that_differ_fail_and_end_the_campaign(self):
        seen = judged(sums={"a": {"t": "400 7"}, "b": {"t": "400 8"}, "c": {"t": "400 7"}})
        self.assertEqual((seen.failures, seen.is_over), (["members differ in t"], True))

    def test_table_that_a_member_lacks_differs(self):
        self.assertEqual(verdict.differing({"a": {"t": "1 1", "u": "0 0"}, "b": {"t": "1 1"}}), ["u"])

    def test_changed_row_of_an_earlier_round_fails(self):
        self.assertEqual(judged(before={"t": "400 6"}).failures, ["these tables of earlier rounds have changed: t"])

    def test_lost_table_of_an_earlier_round_fails(self):
        self.assertTrue(judged(before={"t": "400 7", "gone": "1 1"}).failures)

    def test_row_of_the_old_primary_beside_the_new_one_fails(self):
        for mode in ["on", "remote_apply", "local"]:
            seen = judged([*log(), row(1000, mode, 20.5)])
            self.assertEqual(seen.failures, [f"two primaries: a (timeline 5) and b (timeline 6) for 0.000 s (1 {mode}), 0.500 s after the later one's first row"])

    def test_old_primary_that_leads_again_on_its_old_timeline_fails(self):
        self.assertTrue(judged([*log(), *(row(1000 + number, "on", 40 + number) for number in range(5))]).failures)

    def test_two_histories_of_one_timeline_fail(self):
        rows = [row(number, at=number, timeline=6) for number in range(10)] + [row(10 + number, at=5 + number, member="b", timeline=6) for number in range(10)]
        self.assertEqual([(each.seconds, each.rows) for each in verdict.overlaps(rows)], [(4, {"on": 5})])

    def test_primary_that_comes_back_by_a_failover_is_no_overlap(self):
        rows = [row(0, at=0), row(1, at=10, member="b", timeline=6), row(2, at=20, member="a", timeline=7)]
        self.assertEqual(verdict.overlaps(rows), [])

    def test_thawed_host_may_take_local_rows_for_less_than_a_second(self):
        late = [*log(), row(1000, "local", 25.0), row(1001, "local", 25.9)]
        seen = judged(late, is_host_frozen=True)
        self.assertEqual((seen.failures, len(seen.overlaps)), ([], 1))
        self.assertTrue(judged(late).failures)
        self.assertTrue(judged([*late, row(1002, "local", 26.1)], is_host_frozen=True).failures)
        self.assertTrue(judged([*log(), row(1000, "on", 20.5)], is_host_frozen=True).failures)

    def test_late_or_missing_health_fails(self):
        self.assertEqual(judged(healed=61.0).failures, ["healthy again only after 61 s"])
        seen = judged(healed=None)
        self.assertEqual((seen.failures, seen.is_over), (["not healthy again by itself"], True))

    def test_gap_counts_silence_between_and_up_to_the_end(self):
        self.assertAlmostEqual(verdict.gap(log(), 5, 30), 20.01 - 9.91, places=3)
        self.assertAlmostEqual(verdict.gap(log(), 25, 60), 60 - 29.91, places=3)
        self.assertEqual(verdict.gap([], 0, 7), 7)

    def test_gap_counts_no_probe_and_no_local_commit(self):
        rows = [row(number, at=number * 0.1, source="member-a-on") for number in range(100)] + [row(number, "local", number * 0.1) for number in range(100)]
        self.assertEqual(verdict.gap(rows, 0, 10), 10)

    def test_client_that_hangs(self):
        rows = [row(0, at=5, source="proxy-a-on"), row(0, at=5, source="proxy-b-on"), row(1, at=15, source="proxy-a-local")]
        self.assertEqual(verdict.hanging(rows, ["proxy-a-on", "proxy-a-local", "proxy-b-on"], 10), ["proxy-a-on"])

    def test_exact_restore(self):
        rows = log()
        final = {row.key: row.at for row in rows}
        there = {key for key, at in final.items() if at <= 5.001}
        self.assertEqual(verdict.wrongly_restored(5.001, rows, final, there), (set(), set()))
        # Written and not yet acknowledged at that moment: either is right.
        self.assertEqual(verdict.wrongly_restored(5.001, rows, final, there - {("proxy-a-on", 100)}), (set(), set()))

    def test_hole_surplus_and_foreign_row_of_a_restore(self):
        rows = log()
        final = {row.key: row.at for row in rows}
        there = {key for key, at in final.items() if at <= 5.001}
        self.assertEqual(verdict.wrongly_restored(5.001, rows, final, there - {("proxy-a-on", 50)}), ({("proxy-a-on", 50)}, set()))
        self.assertEqual(verdict.wrongly_restored(5.001, rows, final, there | {("proxy-a-on", 150)}), (set(), {("proxy-a-on", 150)}))
        self.assertEqual(verdict.wrongly_restored(5.001, rows, final, there | {("another", 1)}), (set(), {("another", 1)}))


class Plan(unittest.TestCase):
    """A round follows from its seed."""

    def test_same_seed_same_faults(self):
        self.assertEqual([faults.plan(seed) for seed in range(50)], [faults.plan(seed) for seed in range(50)])
        self.assertNotEqual(faults.plan(1), faults.plan(2))

    def test_first_round_of_a_seed_is_the_round_of_that_seed(self):
        seeds = [rounds.seed_of(7, number) for number in range(100)]
        self.assertEqual(seeds[0], 7)
        self.assertEqual(len(set(seeds)), 100)

    def test_hundred_rounds_meet_nearly_every_kind(self):
        met = {planned.kind for number in range(100) for planned in faults.plan(rounds.seed_of(1, number))}
        self.assertGreater(len(met), 0.9 * len(faults.KINDS))

    def test_some_faults_overlap(self):
        pairs = [plan for plan in map(faults.plan, range(200)) if len(plan) == 2]
        self.assertTrue(50 < len(pairs) < 150)
        self.assertTrue(any(second.at < first.at + first.seconds for first, second in pairs))


class Lab:
    """Three members that answer what a round asks: a table of the round, one of an earlier round, and how far each has replayed."""

    def __init__(self):
        self.hosts = dict.fromkeys("abc")
        self.tables = {host: {"public.campaign_0": {("x", 1)}, "public.campaign_1": {("proxy-a-on", number) for number in range(10)}} for host in self.hosts}
        self.replayed = dict.fromkeys(self.hosts, "t")
        self.explained = None
        self.is_well = True

    def leader(self):
        return "a"

    def wait_healthy(self, *_):
        if not self.is_well:
            raise Failed("no cluster")

    def wait_until(self, what, condition, *_, **__):
        if not condition():
            raise Failed(f"not within a time: {what}")

    def on_member(self, host, statement, database="postgres"):
        if "flush_lsn" in statement:
            return "0/1"
        if "replay_lsn" in statement:
            return self.replayed[host]
        if "pg_tables" in statement:
            return "\n".join(self.tables[host])
        if "md5" in statement:
            return "\n".join(f"{name}|{len(rows)} {hash(frozenset(rows))}" for name, rows in self.tables[host].items())
        return "\n".join(f"{source}|{number}" for source, number in self.tables[host]["public.campaign_1"])

    def explain(self, directory):
        self.explained = directory


class Look(unittest.TestCase):
    """What is read from the members reaches the verdict."""

    def look(self, change, sums=None):
        """Looks at three members after a change of one of them; the log has the ten rows of the round."""
        lab = Lab()
        change(lab)
        runner, seen = rounds.Rounds(lab), verdict.Round(1, [], healed=1.0)
        runner._sums = {"public.campaign_0": f"1 {hash(frozenset({('x', 1)}))}"} if sums is None else sums
        runner._look(seen, [], "campaign_1", [row(number) for number in range(10)])
        return seen

    def test_equal_members_pass(self):
        self.assertEqual(self.look(lambda lab: None).failures, [])

    def test_row_that_is_gone_everywhere(self):
        seen = self.look(lambda lab: [tables["public.campaign_1"].remove(("proxy-a-on", 3)) for tables in lab.tables.values()])
        self.assertEqual(seen.failures, [f"{host} lacks acknowledged rows: {{'on': 1}}" for host in "abc"])

    def test_row_that_is_gone_from_a_standby(self):
        seen = self.look(lambda lab: lab.tables["c"]["public.campaign_1"].remove(("proxy-a-on", 3)))
        self.assertEqual(seen.failures, ["c lacks acknowledged rows: {'on': 1}", "members differ in public.campaign_1"])
        self.assertTrue(seen.is_over)

    def test_row_of_a_standby_alone(self):
        seen = self.look(lambda lab: lab.tables["b"]["public.campaign_1"].add(("stray", 1)))
        self.assertEqual((seen.failures, seen.is_over), (["members differ in public.campaign_1"], True))

    def test_old_row_that_was_changed_everywhere(self):
        seen = self.look(lambda lab: [tables["public.campaign_0"].add(("x", 2)) for tables in lab.tables.values()])
        self.assertEqual(seen.failures, ["these tables of earlier rounds have changed: public.campaign_0"])

    def test_member_that_stands_still_ends_the_campaign(self):
        seen = self.look(lambda lab: lab.replayed.update(c="f"))
        self.assertEqual((seen.failures, seen.is_over), (["not within a time: every member has replayed all"], True))

    def test_round_that_breaks_off_keeps_its_evidence(self):
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.multiple(places, CACHE=pathlib.Path(directory), RUN=pathlib.Path(directory) / "run"), \
                unittest.mock.patch.object(rounds, "mend"), contextlib.redirect_stderr(io.StringIO()):
            lab = Lab()
            lab.is_well = False
            seen = rounds.Rounds(lab).run(7, False)
            self.assertEqual((seen.failures, seen.is_over), (["broken off: Failed: no cluster"], True))
            self.assertEqual(json.loads((lab.explained / "round.json").read_text())["seed"], 7)
            self.assertIn("seed 7", table.line(1, 1, seen))
            self.assertIn(str(lab.explained), seen.notes[-1])


class Table(unittest.TestCase):
    """What is printed."""

    def test_round_of_two_faults_counts_for_both(self):
        planned = [{"kind": kind, "role": "primary", "host": "a", "at": 3.0, "seconds": 9.0, "is_begun": True} for kind in ["cable", "kill -9: etcd"]]
        planned.append({**planned[0], "kind": "freeze: etcd", "is_begun": False})
        overlaps = [{"seconds": 0.5, "rows": {"local": 1}}]
        seen = verdict.Round(1, planned, gap=12.34, healed=20.0, rows={"on": 5}, lost={"local": 2, "on": 1}, overlaps=overlaps, failures=["x"])
        text = table.table([seen], "abc", 1)
        self.assertIn("| cable | 1 | 1 | 12.3 / 12.3 s | 20.0 / 20.0 s | 1 | 2 | 1, at most 0.50 s |", text)
        self.assertIn("| kill -9: etcd | 1 | 1 |", text)
        self.assertNotIn("freeze: etcd", text)
        self.assertIn("FAILED: x", table.line(1, 1, seen))

    def test_round_that_never_healed_is_named(self):
        self.assertIn("— , 1 never".replace(" ,", ","), table.table([verdict.Round(1, [], healed=None)], "abc", 1))


if __name__ == "__main__":
    unittest.main()
