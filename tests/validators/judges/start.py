"""The program that starts a member knows Debian's Patroni, and does to it what it says."""

from pathlib import Path

from bundle import output, run

PROVES = "start.py knows Debian's Patroni; with it a renewal never creates the leader's lock, as it does without, and a short ttl stays"
# Patroni's own renewal, where etcd has no lock any more: it is asked whether the lock was renewed. Then a ttl goes through Patroni's own adjustment.
TRIAL = """
import sys
from types import SimpleNamespace
sys.argv = ["trial"]
from patroni.config import Config
from patroni.dcs.etcd3 import Etcd3, PatroniEtcd3Client

def etcd(self, method, fields, retry=None):
    # The comparison fails; what is to be done then succeeds.
    return {"responses": [{"response_txn": {"succeeded": True}}]} if "failure" in fields else {}

PatroniEtcd3Client.call_rpc = etcd
PatroniEtcd3Client._restart_watcher = lambda self: None

class Retry:
    def copy(self): return self
    def ensure_deadline(self, *_): pass
    def __call__(self, function, *arguments, **options): return function(*arguments, **options)

def renew():
    client = PatroniEtcd3Client.__new__(PatroniEtcd3Client)
    client._reauthenticate = False
    member = SimpleNamespace(_retry=Retry(), _lease="2", _name="db1", leader_path="/patroni/app/leader", _client=client, _do_refresh_lease=lambda *_, **__: None,
                             _run_and_handle_exceptions=lambda function, *arguments, **options: function(*arguments, **{k: v for k, v in options.items() if v is not None}))
    return Etcd3._update_leader(member, SimpleNamespace(session="1"))

def ttl(wanted):
    config = {"ttl": wanted, "loop_wait": 2, "retry_timeout": 3}
    Config._validate_and_adjust_timeouts(Config.__new__(Config), config)
    return config["ttl"]

without = renew(), ttl(10)
sys.path.insert(0, FOLDER)
import start
start.cure()
start.lower_the_floor()
print(without, (renew(), ttl(10), ttl(5)))
"""


def judge(tree, verdict):
    tried = {}
    for host in tree.hosts:
        for program in host.files("start.py"):
            verdict.judged(program)
            content = program.read_bytes()
            if content not in tried:
                tried[content] = True
                judge_program(program, verdict)


def judge_program(program, verdict):
    done = run(["python3", "-B", program, "--check"])
    if done.returncode:
        verdict.problem(program, output(done).strip())
        return
    trial = Path("/tmp/trial.py")
    trial.write_text(TRIAL.replace("FOLDER", repr(str(program.parent))))
    done = run(["python3", "-B", trial])
    verdict.differs(program, "a renewal creates an absent lock, and a ttl of 10 becomes; without it, with it", "(True, 20) (False, 10, 8)", done.stdout.strip() or done.stderr.strip().splitlines()[-1])
