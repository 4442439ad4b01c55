"""Clusters written in Nix: what becomes of good ones, and what is said of bad ones."""

import json
import pathlib

from nix import OUR, Failed, changed_copy, contains, replace, same, want

EVAL = f"{OUR}/modules/eval.nix"
MODULES = pathlib.Path("/tmp/modules")


def evaluated(nix, modules, schema=None):
    """The expression of a cluster out of an expression of modules."""
    schema = f"schema = builtins.fromJSON (builtins.readFile {schema});" if schema else ""
    return f"(import {EVAL} {{ lib = {nix.lib_expression}; {schema} }} ({modules})).config"


def module(name, text):
    """Writes a file of a user's, and returns its path."""
    MODULES.mkdir(exist_ok=True)
    (MODULES / name).write_text(text)
    return MODULES / name


def minimal(hosts='{ a.address = "192.0.2.1"; }', more='networks.n.lighthouses = [ "a" ];'):
    """A small cluster, as the text of a module."""
    return f'{{ version = 1; networks.n = {{ cidr = "10.0.0.0/24"; dns_domain = "x.internal"; }}; hosts = {hosts}; {more} }}'


def check_cluster_in_nix(nix):
    """The example written in Nix is the example: the same JSON, and the same bundles."""
    found = nix.evaluate(evaluated(nix, f"{OUR}/tests/nix/cluster.nix"))
    expected = json.loads((OUR / "tests/example/cluster.json").read_text())
    # What it says that is cops-gen's default, and what only an editor reads.
    del expected["$schema"]
    for name in ["epoch", "nat_punch", "blocklist"]:
        del expected["networks"]["internal"][name]
    del expected["patroni_clusters"]["app"]["postgres_config"]["pg_hba"]
    want(found == expected, f"{json.dumps(found)}\nis not\n{json.dumps(expected)}")
    nix.build(f"checks.{nix.system}.cluster-in-nix")

    def change(at):
        replace(at / "flake.nix", "cluster = ./tests/example/cluster.json;", "cluster = ./tests/nix/cluster.nix;")
    same(nix.build("bundles", at=changed_copy("from-nix", change)), OUR / "out")


def check_every_description(nix):
    """Every good description of tests/ passes through the options unchanged."""
    files = [OUR / "tests/example/cluster.json", *sorted(OUR.glob("tests/cases/*/cluster.json"))]
    reads = " ".join(f"({{ config = builtins.fromJSON (builtins.readFile {file}); }})" for file in files)
    found = nix.evaluate(f"map (one: {evaluated(nix, '[ one ]')}) [ {reads} ]")
    for file, cluster in zip(files, found, strict=True):
        want(cluster == without_null(json.loads(file.read_text())), f"{file} came out otherwise")
    return f"{len(files)} descriptions"


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(one) for key, one in value.items() if one is not None}
    return [without_null(one) for one in value] if isinstance(value, list) else value


def check_mistakes_of_shape(nix):
    """Every description of tests/errors with a mistake of shape fails at evaluation."""
    codes = ("unknown-field", "unknown-variant", "wrong-type", "missing-field")
    files = []
    for said in sorted(OUR.glob("tests/errors/*.stderr")):
        text = said.read_text()
        file = said.with_suffix(".json")
        try:
            json.loads(file.read_text())
        except ValueError:
            continue
        if any(line.startswith(f"error[{code}]") for line in text.splitlines() for code in codes):
            files.append(file)
    reads = " ".join(f"({{ config = builtins.fromJSON (builtins.readFile {file}); }})" for file in files)
    tried = f"let whole = {evaluated(nix, '[ one ]')}; in (builtins.tryEval (builtins.deepSeq whole whole)).success"
    found = nix.evaluate(f"map (one: {tried}) [ {reads} ]")
    passed = [file.name for file, is_good in zip(files, found, strict=True) if is_good]
    want(len(files) > 6, f"only {len(files)} such descriptions")
    want(not passed, f"these passed: {passed}")
    return f"{len(files)} descriptions"


MISTAKES = [
    # a module of a user's, the option, other words
    ('hosts.db1.adress = "192.0.2.1";', "hosts.db1.adress", ["does not exist"]),
    ("etcd_cluster = { };", "etcd_cluster", ["does not exist"]),
    ("hosts.db1.address = 5;", "hosts.db1.address", ["string"]),
    ('hosts.db1.arch = "sparc";', "hosts.db1.arch", ['"amd64", "arm64"']),
    ("networks.internal.mtu = 70000;", "networks.internal.mtu", ["between 0 and 65535"]),
    ("networks.internal.epoch = -1;", "networks.internal.epoch", ["at least 0"]),
    ('networks.internal.lighthouses = "db1";', "networks.internal.lighthouses", ["list of"]),
    ("networks.internal.underlay_port_range = [ 12500 ];", "networks.internal.underlay_port_range", ["2 to 2 of them"]),
    ("networks.internal.lighthouses = [ 1 ];", "networks.internal.lighthouses", ["string"]),
    ('etcd_clusters.main.members = [ { host = "db1"; ipp = "10.2.57.9"; } ];', "etcd_clusters.main.members", ["ipp", "does not exist"]),
    ('patroni_clusters.app.synchronous_mode = "onn";', "patroni_clusters.app.synchronous_mode", ['"on"']),
    ("patroni_clusters.app.postgres_config.parameters.x = [ ];", "patroni_clusters.app.postgres_config.parameters.x", ["boolean"]),
    ('networks.internal.cidr = "10.9.0.0/24";', "networks.internal.cidr", ["conflicting"]),
]


def check_mistakes_are_named(nix):
    """A mistake in a user's module fails with the option and the user's file."""
    for number, (text, option, words) in enumerate(MISTAKES):
        file = module(f"mistake-{number}.nix", f"{{ {text} }}")
        said = nix.fails(f"builtins.toJSON {evaluated(nix, f'[ {OUR}/tests/nix/cluster.nix {file} ]')}")
        try:
            contains(said, option, str(file), *words)
        except Failed as problem:
            raise Failed(f"{text}: {problem}") from None
    # What is missing is in no file.
    for text, option in [
        (minimal(more='networks.n.lighthouses = [ ]; secrets.s = { };'), "secrets.s.source"),
        (minimal(more=""), "networks.n.lighthouses"),
        ("{ version = 1; networks = { }; }", "hosts"),
    ]:
        said = nix.fails(f"builtins.toJSON {evaluated(nix, module('missing.nix', text))}")
        contains(said, f"`{option}'", "has no value defined")
    nix.evaluate(f"builtins.toJSON {evaluated(nix, module('good.nix', minimal()))}")
    return f"{len(MISTAKES) + 3} mistakes"


def check_mistakes_of_meaning(nix):
    """What only cops-gen can see fails the build with its own words and the place in the cluster."""
    def change(at):
        replace(at / "tests/nix/cluster.nix", 'read_replicas = [ "db3" ];', 'read_replicas = [ "db4" ];')
        replace(at / "flake.nix", "cluster = ./tests/example/cluster.json;", "cluster = ./tests/nix/cluster.nix;")
    said = nix.ours("build --no-link -L", "bundles", at=changed_copy("wrong-meaning", change), code=1)[1]
    contains(said, "error[unknown-host]", "names host `db4`", "at: /patroni_clusters/app/read_replicas/0")


def check_modules_merge(nix):
    """Several modules make one cluster: sets merge, lists add up, priorities hold, and unset options are in no JSON."""
    first = module("first.nix", minimal('{ db1.address = "192.0.2.1"; }', ""))
    second = module("second.nix", """{ lib, config, ... }: {
      hosts.db2.address = lib.mkDefault "192.0.2.2";
      networks.n.lighthouses = builtins.attrNames config.hosts;
    }""")
    third = module("third.nix", '{ lib, ... }: { hosts.db2.address = "192.0.2.22"; networks.n.mtu = lib.mkIf false 1200; networks.n.lighthouses = [ "x" ]; }')
    found = nix.evaluate(evaluated(nix, f"[ {first} {second} {third} ]"))
    want(found["hosts"] == {"db1": {"address": "192.0.2.1"}, "db2": {"address": "192.0.2.22"}}, found)
    network = found["networks"]["n"]
    want(sorted(network.pop("lighthouses")) == ["db1", "db2", "x"], found)
    want(network == {"cidr": "10.0.0.0/24", "dns_domain": "x.internal"}, f"more than was set: {network}")


def check_options_are_documented(nix):
    """Options carry the schema's words and cops-gen's default, for documentation and editors."""
    options = f"(import {EVAL} {{ lib = {nix.lib_expression}; }} [ ]).options"
    said = nix.evaluate(f"{options}.networks.description")
    want(said == "Nebula overlay networks, by name.", said)


def check_new_field(nix):
    """A field that the schema gains is an option at once: nothing in modules/ lists fields."""
    schema = json.loads((OUR / "modules/cluster.schema.json").read_text())
    schema["properties"]["sites"] = {"description": "Places.", "type": "object", "additionalProperties": {"$ref": "#/$defs/Site"}}
    schema["$defs"]["Site"] = {
        "type": "object", "additionalProperties": False, "required": ["city"],
        "properties": {"city": {"type": "string"}, "floors": {"type": ["integer", "null"], "minimum": 0, "maximum": 9, "default": None}},
    }
    schema["$defs"]["Host"]["properties"]["site"] = {"type": ["string", "null"], "default": None}
    grown = module("grown.json", json.dumps(schema))
    uses = module("uses.nix", minimal('{ db1 = { address = "192.0.2.1"; site = "north"; }; }', 'networks.n.lighthouses = [ ]; sites.north = { city = "Oslo"; floors = 3; };'))
    found = nix.evaluate(evaluated(nix, uses, grown))
    want(found["sites"] == {"north": {"city": "Oslo", "floors": 3}} and found["hosts"]["db1"]["site"] == "north", found)
    contains(nix.fails(f"builtins.toJSON {evaluated(nix, uses)}"), "does not exist", "sites")
    wrong = module("too-high.nix", minimal(more='networks.n.lighthouses = [ ]; sites.north = { city = "Oslo"; floors = 10; };'))
    contains(nix.fails(f"builtins.toJSON {evaluated(nix, wrong, grown)}"), "sites.north.floors", "between 0 and 9", str(wrong))

    # The whole way: a flake whose schema has it takes it, and only cops-gen, which has it not, refuses.
    def change(at):
        (at / "modules/cluster.schema.json").write_text(json.dumps(schema))
        replace(at / "tests/nix/cluster.nix", "  version = 1;\n", '  version = 1;\n  sites.north.city = "Oslo";\n')
        replace(at / "flake.nix", "cluster = ./tests/example/cluster.json;", "cluster = ./tests/nix/cluster.nix;")
    contains(nix.ours("build --no-link -L", "db1", at=changed_copy("grown", change), code=1)[1], "error[unknown-field]", "sites")


def check_unknown_form(nix):
    """A form of schema that the options don't know is an error, not a guess."""
    for form in [{"type": "tuple"}, {"allOf": [{"type": "string"}]}, {"type": "object"}, {"$ref": "#/$defs/Nowhere"}, {"type": "array"}]:
        schema = json.loads((OUR / "modules/cluster.schema.json").read_text())
        schema["properties"]["odd"] = form
        odd = module("odd.json", json.dumps(schema))
        said = nix.fails(f"builtins.toJSON {evaluated(nix, module('uses-odd.nix', minimal(more='networks.n.lighthouses = [ ]; odd = { };')), odd)}")
        contains(said, "json-schema.nix: ")
