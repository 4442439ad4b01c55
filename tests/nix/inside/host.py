"""The NixOS module, on the stub's NixOS: where it puts a bundle, and what a switch would do."""

import json
import pathlib
import shutil

from nix import GENERATOR, HOSTS, OUR, STUB, Failed, contains, last_link, replace, run, same, want

HERE = pathlib.Path(__file__).parent
BUNDLES = pathlib.Path("/tmp/bundles")
MEMBERS = {"etcd-main-main.service", "patroni-app-main.service", "underlay-network.service"}


def expression(nix, bundle, host, more="{ }"):
    """What host.nix makes of a bundle, as an expression."""
    return (f'(import {HERE}/host.nix {{ stub = "{STUB}"; lib = {nix.lib_expression}; system = "{nix.system}"; '
            f'module = {OUR}/modules/nixos.nix; bundle = {bundle}; host = "{host}"; more = {more}; }})')


def etc_of(nix, bundle, host, more="{ }"):
    """Builds a host's /etc, and returns where it is."""
    out, _ = nix("build", "--no-link", "--print-out-paths", "--impure", "--expr", expression(nix, bundle, host, more) + ".etc")
    return pathlib.Path(out.strip(), "etc")


def told(nix, bundle, host, more="{ }"):
    return nix.evaluate(expression(nix, bundle, host, more) + ".told")


def drop_ins(etc):
    """Unit -> the lines of its drop-in."""
    found = {}
    for path in etc.glob("systemd/system/*.d/10-cops-gen.conf"):
        found[path.parent.name.removesuffix(".d")] = dict(
            line.split("=", 1) for line in path.read_text().splitlines() if "=" in line
        )
    return found


def manifest_of(bundle):
    return json.loads((pathlib.Path(bundle) / "manifest.json").read_text())


def copy_of(host, name):
    """A bundle of out/ to change."""
    at = BUNDLES / name
    shutil.rmtree(at, ignore_errors=True)
    shutil.copytree(OUR / "out/hosts" / host, at)
    return at


def check_module_places_every_file(nix):
    """Every file of every host's manifest is where NixOS runs it from: its bytes, and the manifest's mode."""
    count = 0
    for host in HOSTS:
        bundle = OUR / "out/hosts" / host
        etc = etc_of(nix, bundle, host)
        programs, _ = nix("build", "--no-link", "--print-out-paths", "--impure", "--expr", expression(nix, bundle, host) + ".programs")
        placed = set()
        for name, entry in manifest_of(bundle)["files"].items():
            if not name.startswith("rootfs/"):
                want(name == "activate", f"{name} is new here")
                continue
            place = name.removeprefix("rootfs/etc/")
            if name.startswith("rootfs/usr/local/bin/"):
                found = pathlib.Path(programs.strip(), f"cops-gen-programs-{host}/bin", pathlib.Path(name).name)
                want(found.stat().st_mode & 0o111, f"{found} can't be run")
            else:
                found = etc / place
                placed.add(place)
            want(found.read_bytes() == (bundle / name).read_bytes(), f"{name} is not at {found}")
            if not place.startswith(("systemd/system/", "tmpfiles.d/")) and place != name:
                mode = (etc / f"{place}.mode").read_text().strip()
                want(mode == entry["mode"], f"{name} has mode {mode}, not {entry['mode']}")
            count += 1
        mine = {str(path.relative_to(etc)) for path in etc.rglob("*") if path.is_file()}
        more = {path for path in mine - placed if not path.endswith((".mode", "/10-cops-gen.conf"))}
        want(not more, f"also in /etc: {more}")
    return f"{count} files"


def check_module_knows_every_unit(nix):
    """Each unit of the manifest has its triggers; Quadlet's are linked to where systemd makes them; members wait for the operator."""
    count = 0
    for host in HOSTS:
        bundle = OUR / "out/hosts" / host
        etc = etc_of(nix, bundle, host)
        units, found = manifest_of(bundle)["units"], drop_ins(etc)
        want(set(units) == set(found), f"{set(units) ^ set(found)}")
        for name, unit in units.items():
            lines = found[name]
            is_operators = unit["on_change"] == "operator"
            expected = {"X-Restart-Triggers"} | ({"X-Reload-Triggers"} if unit["reload"] else set())
            if name.endswith(".service"):
                expected |= {"Environment", "X-StopIfChanged"} | ({"X-RestartIfChanged"} if is_operators else set())
            want(set(lines) == expected, f"{name}: {lines}")
            want(lines.get("X-RestartIfChanged", "false") == "false" and lines.get("X-StopIfChanged", "false") == "false", f"{name}: {lines}")
            link = etc / "systemd/system" / name
            if not (bundle / "rootfs/etc/systemd/system" / name).exists():
                want(str(last_link(link)) == f"/run/systemd/generator/{name}", f"{name} is {last_link(link)}")
            count += 1
        want(all("X-RestartIfChanged" in found[name] for name in MEMBERS), "a switch would restart members")
        asked = drop_ins(etc_of(nix, bundle, host, "{ services.cops-gen.restartMembers = true; }"))
        want(not any("X-RestartIfChanged" in lines for lines in asked.values()), "restartMembers is not heard")
    return f"{count} units"


CHANGES = {
    # what of the description -> what a switch does: restart or reload, and of which units
    "a proxy's own settings": (('"proxies": ["db1", "db2", "db3"],', '"proxies": ["db1", "db2", "db3"], "proxy_drain_timeout": 60,'),
                               {"reload": {"proxy-app-main.service"}}),
    "another image": (("web:1.4.2", "web:1.5.0"), {"restart": {"web-main.service"}}),
    "a firewall rule": (('"endpoints": { "internal": { "groups": ["admin"] } } },\n    "db2"',
                         '"endpoints": { "internal": { "groups": ["admin"], "firewall": { "inbound": [ { "port": "9100", "proto": "tcp", "group": "admin" } ] } } } },\n    "db2"'),
                        {"reload": {"host-internal.service"}}),
    "nothing": (("db2", "db2"), {}),
}


def check_module_restarts_what_changed(nix):
    """A change of the description restarts or reloads the units that the manifest's table says, and touches no other."""
    before = drop_ins(etc_of(nix, OUR / "out/hosts/db1", "db1"))
    text = (OUR / "tests/example/cluster.json").read_text()
    for name, ((old, new), expected) in CHANGES.items():
        want(old in text, f"{name}: the example has no {old!r}")
        at = BUNDLES / "changed"
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        (at / "cluster.json").write_text(text.replace(old, new, 1))
        shutil.copy2(OUR / "tests/example/cluster.lock.json", at)
        run(GENERATOR, "render", at=at)
        after = drop_ins(etc_of(nix, at / "out/hosts/db1", "db1"))
        found = {}
        for unit in before.keys() | after.keys():
            one, other = before.get(unit, {}), after.get(unit, {})
            keys = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
            if keys:
                found.setdefault("reload" if keys == {"X-Reload-Triggers"} else "restart", set()).add(unit)
        want(found == expected, f"{name}: {found}, not {expected}")
    return f"{len(CHANGES)} changes"


def check_module_brings_programs(nix):
    """Podman, nft, jq and nsenter are there, and the kernel's tun."""
    found = told(nix, OUR / "out/hosts/db1", "db1")
    want(found["podman"] and found["modules"] == ["tun"], found)
    for name in ["cops-gen-programs-db1", "jq-1", "nftables-1", "util-linux-1"]:
        want(name in found["programs"], f"{name} is not in {found['programs']}")
    want(found["failed"] == [], found["failed"])


def check_module_refuses(nix):
    """Another host's bundle, another manifest, an older Podman, rules that would be flushed, files without a place: each says so."""
    out = OUR / "out/hosts/db1"
    contains("\n".join(told(nix, out, "db2")["failed"]), "is the bundle of db1, and this host is db2")
    want(told(nix, out, "other", '{ services.cops-gen.host = "db1"; }')["failed"] == [], "services.cops-gen.host is not heard")
    flush = "{ networking.nftables = { enable = true; flushRuleset = true; }; }"
    contains("\n".join(told(nix, out, "db1", flush)["failed"]), "flushRuleset")
    for old, new, words in [
        ('"version": 1', '"version": 2', "of version 2"),
        ('"podman_version": "5.4"', '"podman_version": "5.8"', "written for Podman 5.8, and this host has 5.4.2"),
        ('"rootfs/usr/local/bin/etcdctl"', '"rootfs/opt/etcdctl"', "where to put rootfs/opt/etcdctl"),
    ]:
        changed = copy_of("db1", "refused")
        replace(changed / "manifest.json", old, new)
        failed = told(nix, changed, "db1")["failed"]
        want(len(failed) == 1, f"{new}: {failed}")
        contains(failed[0], words)
    try:
        told(nix, OUR / "out", "db1")
    except Failed:
        return
    raise Failed("a whole tree was taken for a bundle")


def check_module_takes_every_case(nix):
    """Every host of tests/cases evaluates as a NixOS host; what the module refuses is a Podman too old for the case."""
    bundles = sorted(OUR.glob("tests/cases/*/expected/hosts/*"))
    one = expression(nix, "(/. + path)", "HOST").replace('"HOST"', "(baseNameOf path)")
    paths = " ".join(f'"{bundle}"' for bundle in bundles)
    found = nix.evaluate(f"map (path: let it = {one}; in builtins.seq it.etc.drvPath it.told.failed) [ {paths} ]")
    for bundle, failed in zip(bundles, found, strict=True):
        wanted = manifest_of(bundle)["podman_version"]
        is_newer = [int(part) for part in wanted.split(".")] > [5, 4]
        want(len(failed) == is_newer and all("written for Podman" in text for text in failed), f"{bundle}: {failed}")
    return f"{len(bundles)} hosts"


def check_module_takes_a_build(nix):
    """A bundle that Nix builds does what the committed one does; where import from derivation is forbidden, only that is refused."""
    made = f"""((builtins.getFlake "git+file://{OUR}").lib.mkBundles {{
      generator = builtins.storePath "{nix('store', 'add-path', STUB / 'prebuilt')[0].strip()}"; system = "{nix.system}";
      cluster = {OUR}/tests/example/cluster.json; lock = {OUR}/tests/example/cluster.lock.json; }}).hosts.db1"""
    committed = etc_of(nix, OUR / "out/hosts/db1", "db1")
    same(etc_of(nix, made, "db1"), committed)
    forbidden = ["--option", "allow-import-from-derivation", "false", "--impure", "--json", "--expr"]
    nix("eval", *forbidden, expression(nix, OUR / "out/hosts/db1", "db1") + ".told")
    contains(nix("eval", *forbidden, expression(nix, made, "db1") + ".told", code=1)[1], "allow-import-from-derivation")
