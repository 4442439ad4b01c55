"""What the flake gives: names, builds, checks."""

import json
import pathlib
import shlex

from nix import GENERATOR, HOSTS, OUR, STUB, SYSTEMS, changed_copy, contains, replace, run, same, tree, want

SOURCES = None  # what cargo says that it read to make cops-gen


def check_lock_is_whole(nix):
    """flake.lock pins what flake.nix asks for: with no network, nothing has to be locked."""
    locked = json.loads((OUR / "flake.lock").read_text())["nodes"]["nixpkgs"]["locked"]
    said = json.loads(nix("flake", "metadata", "--json", f"git+file://{OUR}")[0])
    want(said["locks"]["nodes"]["nixpkgs"]["locked"]["rev"] == locked["rev"], "another nixpkgs is locked")
    other = changed_copy("other-input", lambda at: replace(at / "flake.nix", "nixpkgs/nixos-26.05", "nixpkgs/nixos-26.11"))
    nix("flake", "metadata", f"git+file://{other}", code=1)
    return f"nixpkgs {locked['rev'][:12]}"


def check_names_without_nixpkgs(nix):
    """Outputs are listed, templates and modules found, with nixpkgs out of reach."""
    def names(what):
        return json.loads(nix("eval", "--json", f"git+file://{OUR}#{what}", "--apply", "builtins.attrNames")[0])
    for system in SYSTEMS:
        want(names(f"packages.{system}") == ["bundles", "cops-gen", *HOSTS, "default"], f"packages.{system}: {names(f'packages.{system}')}")
        want(names(f"apps.{system}") == ["lock", "render"], "apps")
        want("out-is-current" in names(f"checks.{system}"), "checks")
        want(names(f"devShells.{system}") == ["default"], "devShells")
    want(names("formatter") == SYSTEMS, "formatter")
    want(names("lib") == ["evalCluster", "mkBundles", "mkClusterFlake"], "lib")
    want(names("nixosModules") == ["cops-gen", "default"], "nixosModules")
    want(names("templates") == ["default"] and names("overlays") == ["default"], "templates, overlays")
    nix("build", f"git+file://{OUR}#db1", "--dry-run", code=1)


def check_flake_check(nix):
    """`nix flake check` passes, and every other system evaluates."""
    nix.ours("flake check")
    nix.ours("flake check --all-systems --no-build")


def check_flake_show(nix):
    """`nix flake show` shows every host of every system."""
    shown = json.loads(nix.ours("flake show --json --all-systems")[0])
    shown = shown.get("inventory", shown)
    for system in SYSTEMS:
        for name in [*HOSTS, "bundles", "cops-gen"]:
            contains(json.dumps(shown["packages"]), system, f'"{name}"')
    contains(nix.ours("flake show")[0] + nix.ours("flake show")[1], "db1", "out-is-current", "nixosModules", "templates")


def check_hosts_are_out(nix):
    """`nix build .#HOST` is out/hosts/HOST byte for byte, and .#bundles is out/."""
    count = 0
    for name in HOSTS:
        count += same(nix.build(name), OUR / "out/hosts" / name)
    whole = nix.build("bundles")
    same(whole, OUR / "out")
    run(GENERATOR, "render", "tests/example/cluster.json", "--locked", "--out", "/tmp/rendered", at=OUR)
    same(whole, "/tmp/rendered")
    for name in HOSTS:
        same(nix.build(name), f"/tmp/rendered/hosts/{name}")
    run(GENERATOR, "verify", whole)
    return f"{count} files of hosts"


def check_built_again(nix):
    """Built a second time, every output is the same to the bit (`--rebuild`)."""
    for name in [*HOSTS, "bundles"]:
        nix.build(name)
        nix.ours("build --no-link --rebuild", name)


def check_no_references(nix):
    """No bundle points into the store, and one that would is refused."""
    for name in [*HOSTS, "bundles"]:
        built = nix.build(name)
        references = run("nix-store", "--query", "--references", built, environment=nix.environment)[0]
        want(references == "", f"{name} refers to {references}")
        found = [path for path, (data, _) in tree(built).items() if b"/nix/store" in data]
        want(not found, f"{name} names the store in {found}")
    pod = '"leak": {"host": "db1", "containers": {"main": {"image": "registry.example.com/x:1", "environment": {"X": "PLACE"}}}},'

    def change(at):
        replace(at / "tests/example/cluster.json", '"pods": {', '"pods": {' + pod)
        run(GENERATOR, "lock", "tests/example/cluster.json", at=at)
    leaky = changed_copy("leaky", change)
    # The lock file's place is known before it is built with.
    path = f'builtins.path {{ path = {leaky}/tests/example/cluster.lock.json; name = "cluster.lock.json"; }}'
    replace(leaky / "tests/example/cluster.json", "PLACE", nix.evaluate(f'"${{{path}}}"'))
    said = nix.ours("build --no-link", "db1", at=leaky, code=1)[1]
    contains(said, "not allowed to refer to")


def check_nothing_but_cops_gen(nix):
    """A bundle's builder is cops-gen: no shell, no other package, no variable of the environment."""
    for name in [*HOSTS, "bundles"]:
        shown = json.loads(nix.ours("derivation show", name)[0])
        shown = next(iter(shown.get("derivations", shown).values()))
        want(shown["builder"].endswith("/bin/cops-gen"), shown["builder"])
        inputs = shown.get("inputDrvs", shown.get("inputs", {}).get("drvs"))
        want(len(inputs) == 1 and "cops-gen" in next(iter(inputs)), f"{name} is built from {list(inputs)}")
        known = {"allowSubstitutes", "allowedReferences", "builder", "name", "out", "preferLocalBuild", "system", "__json"}
        want(set(shown["env"]) <= known, f"{name} has {sorted(set(shown['env']) - known)}")
        sources = shown.get("inputSrcs", shown.get("inputs", {}).get("srcs"))
        want(sorted(one.split("-", 1)[1] for one in sources) == ["cluster.json", "cluster.lock.json"], f"{name} reads {sources}")


def check_sandboxed(nix):
    """A builder sees nothing of this machine: the sandbox is on."""
    script = f'[ ! -e {OUR} ] && [ ! -e {nix.directory} ] && : >"$out"'
    what = f"""derivation {{ name = "sandboxed"; system = "{nix.system}"; builder = "/bin/sh"; args = [ "-c" ''{script}'' ]; }}"""
    nix("build", "--no-link", "--impure", "--expr", what)


def check_only_what_is_read(nix):
    """A change of a file that a bundle doesn't come from builds nothing anew."""
    def edit(at):
        (at / "README.md").write_text("another\n")
        (at / "tests/example/note").write_text("another\n")
    edited = changed_copy("edited", edit)
    for name in ["db1", "bundles"]:
        one = nix.ours("eval --raw", f"{name}.drvPath")[0]
        want(one == nix.ours("eval --raw", f"{name}.drvPath", at=edited)[0], f"{name} would be built anew")


def check_without_nixpkgs(nix):
    """lib.mkBundles builds with a generator alone, nixpkgs out of reach."""
    generator = nix("store", "add-path", STUB / "prebuilt")[0].strip()
    what = f"""(builtins.getFlake "git+file://{OUR}").lib.mkBundles {{
      generator = builtins.storePath "{generator}"; system = "{nix.system}";
      cluster = {OUR}/tests/example/cluster.json; lock = {OUR}/tests/example/cluster.lock.json; }}"""
    built, _ = nix("build", "--no-link", "--print-out-paths", "--impure", "--expr", f"({what}).hosts.db2")
    same(built.strip(), OUR / "out/hosts/db2")


def check_copied_alone(nix):
    """`nix copy` of a bundle brings the bundle and nothing else, and its `activate` runs from there."""
    other = pathlib.Path("/tmp/other", nix.suite)
    built = nix.build("db1")
    nix("copy", "--no-check-sigs", "--to", f"local?root={other}", built)
    there = [path for path in (other / "nix/store").iterdir() if not path.name.startswith(".")]
    want([path.name for path in there] == [built.name], f"also copied: {there}")
    same(there[0], OUR / "out/hosts/db1")
    contains(run(there[0] / "activate", "--help")[0], "activate [--dry-run] [--roll]")


def check_rsync_takes_every_change(nix):
    """docs/nix.md's rsync line brings a file that changed and kept its length; by time it would stay, since all times in the store are one."""
    line = next(one for one in (OUR / "docs/nix.md").read_text().splitlines() if one.startswith("    rsync "))
    options = shlex.split(line)[1:-2]
    other = changed_copy("same-length", lambda at: replace(at / "tests/example/cluster.json", "web:1.4.2", "web:1.4.3"))
    old, new = nix.build("db1"), nix.build("db1", at=other)
    for name, chosen in [("right", options), ("by-time", [*(one for one in options if one != "--checksum"), "--times"])]:
        there = pathlib.Path("/tmp/there", nix.suite, name)
        there.mkdir(parents=True)
        for built in [old, new]:
            run("rsync", *chosen, f"{built}/", f"{there}/")
        want((tree(there) == tree(new)) == (name == "right"), f"{name}: {chosen}")


def check_stale_out(nix):
    """A file of out/ that isn't what is rendered fails `nix flake check`, which names it and says how to mend it."""
    def change(at):
        unit = at / "out/hosts/db2/rootfs/etc/containers/systemd/proxy-app.pod"
        unit.write_text(unit.read_text() + "# mine\n")
        (at / "out/hosts/db3/rootfs/usr/local/bin/barman").unlink()
    stale = changed_copy("stale-out", change)
    said = nix.ours("flake check -L", at=stale, code=None)[1]
    contains(said, "changed hosts/db2/rootfs/etc/containers/systemd/proxy-app.pod", "added hosts/db3/rootfs/usr/local/bin/barman",
             "2 differences; `nix run .#render` mends them")


def check_sources_are_complete(nix):
    """The filtered source that nixpkgs would build from has every file that the compiler read here."""
    source = nix.ours("eval --raw", f"packages.{nix.system}.cops-gen.src")[0].strip()
    if not SOURCES:
        return "not looked at: COPS_GEN was given, and cargo's list of what it read was not"
    lines = SOURCES.read_text().splitlines()
    read = [path for line in lines for path in shlex.split(line.split(": ", 1)[1])]
    top = next(path for path in read if path.endswith("/src/main.rs")).removesuffix("/src/main.rs")
    read = sorted({path.removeprefix(top + "/") for path in read if path.startswith(top)}) + ["Cargo.toml", "Cargo.lock"]
    present = tree(source)
    missing = [path for path in read if path not in present]
    want(not missing, f"the source lacks {missing}")
    want(len(read) > 100, f"cargo read only {len(read)} files")
    want("README.md" not in present and not any(path.startswith("out/") for path in present), "the source has what no build needs")
    return f"{len(read)} of {len(present)} files are read"
