"""What a user types: a flake from the template, a host more, what is forgotten."""

import json
import pathlib
import re
import shutil

from nix import HOSTS, OUR, STUB, commit, contains, git, replace, same, want

PLACE = pathlib.Path("/tmp/stories")


def start(nix, name):
    """A repository as `nix flake init -t` leaves it, with the inputs that there are here; commands are typed as docs have them."""
    at = PLACE / name
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    git(at, "init", "--quiet")
    nix("flake", "init", "-t", f"git+file://{OUR}", at=at)
    replace(at / "flake.nix", '"github:OWNER/cops-gen";', f'"git+file://{OUR}";\n  inputs.cops-gen.inputs.nixpkgs.url = "path:{STUB}";')
    nix("flake", "lock", at=at)
    commit(at)
    return at


def built(nix, at, what):
    return nix("build", "--no-link", "--print-out-paths", f".#{what}", at=at)[0].strip()


def check_template(nix):
    """`nix flake init -t` gives a flake that builds: the hosts, then, rendered and committed, its check."""
    at = start(nix, "template")
    want(sorted(path.name for path in at.iterdir()) == [".git", ".gitignore", "cluster.json", "cluster.lock.json", "flake.lock", "flake.nix"],
         f"{sorted(at.iterdir())}")
    for name in HOSTS:
        same(built(nix, at, name), OUR / "out/hosts" / name)
    contains(nix("flake", "check", at=at, code=1)[1], "Nix sees no out here", "nix run .#render", "git add")
    said = nix("run", ".#render", at=at)[1]
    contains(said, "out: 3 hosts, ", "New here: out", "git add out")
    contains(nix("flake", "check", at=at, code=1)[1], "Nix sees no out here")
    commit(at)
    nix("flake", "check", at=at)
    same(at / "out", OUR / "out")
    same(built(nix, at, "default"), at / "out")
    contains(nix("run", ".#render", at=at)[1], "0 files written")
    want(nix("run", ".#cops-gen", "--", "schema", at=at)[0] == (OUR / "modules/cluster.schema.json").read_text(), "another schema")
    contains(nix("run", ".#cops-gen", "--", "explain", "unknown-host", at=at)[0], "# unknown-host")


DB4 = '"db4": { "address": "192.0.2.14", "endpoints": { "internal": {} } },\n    "db1"'


def check_host_added_to_json(nix):
    """A host added to cluster.json: the build fails with the commands to run; those run, build and check pass."""
    at = start(nix, "json")
    replace(at / "cluster.json", '"hosts": {\n    "db1"', '"hosts": {\n    ' + DB4)
    add_a_host(nix, at)


def check_host_added_in_nix(nix):
    """The same with a cluster written in Nix."""
    at = start(nix, "nix")
    shutil.copy2(OUR / "tests/nix/cluster.nix", at)
    (at / "cluster.json").unlink()
    replace(at / "flake.nix", "./cluster.json;", "./cluster.nix;")
    commit(at)
    same(built(nix, at, "db1"), OUR / "out/hosts/db1")
    replace(at / "cluster.nix", '    db3 = "192.0.2.13";\n', '    db3 = "192.0.2.13";\n    db4 = "192.0.2.14";\n')
    replace(at / "cluster.nix", "etcd_clusters.main.members = everywhere;", 'etcd_clusters.main.members = [ "db1" "db2" "db3" ];')
    add_a_host(nix, at)


def add_a_host(nix, at):
    for what in ["db1", "db4", "bundles"]:
        said = nix("build", "-L", "--no-link", f".#{what}", at=at, code=1)[1]
        contains(said, "error[lock-stale]", "db4", "run `nix run .#lock`, then `nix run .#render`")
    contains(nix("run", ".#lock", at=at)[1], "cluster.lock.json: ", " added, 0 removed")
    for what in ["db1", "db4", "bundles"]:
        built(nix, at, what)
    commit(at)
    contains(nix("flake", "check", at=at, code=1)[1], "Nix sees no out here")
    contains(nix("run", ".#render", at=at)[1], "out: 4 hosts")
    commit(at)
    nix("flake", "check", at=at)
    for name in [*HOSTS, "db4"]:
        same(built(nix, at, name), at / "out/hosts" / name)
    # One more change, with an out/ that is there: the check says what to do.
    lock = json.loads((at / "cluster.lock.json").read_text())
    source = at / ("cluster.nix" if (at / "cluster.nix").exists() else "cluster.json")
    replace(source, "web:1.4.2", "web:1.5.0")
    contains(nix("flake", "check", "-L", at=at, code=None)[1], "changed hosts/db1/rootfs/etc/containers/systemd/web-main.container",
             "`nix run .#render` mends them")
    nix("run", ".#render", at=at)
    nix("flake", "check", at=at)
    want(json.loads((at / "cluster.lock.json").read_text()) == lock, "the lock changed without need")


def check_lock_missing(nix):
    """A flake without its lock file says what to run, and that runs."""
    at = start(nix, "no-lock")
    (at / "cluster.lock.json").unlink()
    commit(at)
    contains(nix("build", ".#db1", at=at, code=1)[1], "Nix sees no cluster.lock.json here", "nix run .#lock", "git add")
    # The example's platform is of the first edition; a new lock is of the newest.
    contains(nix("run", ".#lock", "--", "--edition", "1", at=at)[1], "New here: cluster.lock.json")
    commit(at)
    same(built(nix, at, "db1"), OUR / "out/hosts/db1")


def check_below_the_top(nix):
    """A cluster in a directory of a larger flake: the apps find their files from wherever they are run."""
    at = start(nix, "below")
    (at / "sites/oslo").mkdir(parents=True)
    for name in ["cluster.json", "cluster.lock.json"]:
        (at / name).rename(at / "sites/oslo" / name)
    text = (at / "flake.nix").read_text()
    (at / "flake.nix").write_text(re.sub(r"\./(cluster\.json|cluster\.lock\.json|out);", r"./sites/oslo/\1;", text))
    commit(at)
    nix("run", "..#render", at=at / "sites")
    nix("run", "../..#lock", at=at / "sites/oslo")
    same(at / "sites/oslo/out", OUR / "out")
    want(not (at / "out").exists() and not (at / "sites/out").exists(), "another out/")
    contains(nix("run", f"git+file://{at}#render", at="/tmp", code=2)[1], "no sites/oslo/cluster.json at or above /tmp")
    contains(nix("run", ".#render", "--", "--check", "--host", "db1", at=at)[1], "up to date")
