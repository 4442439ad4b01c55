"""Patroni's configuration files in a bundle."""

import json

import yaml


class StrictLoader(yaml.SafeLoader):
    """PyYAML, which Patroni reads with, but a key may stand once only: the reader itself lets the last one win."""


def construct_mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"keys that stand twice: {sorted(twice)}")
    return {loader.construct_object(key): loader.construct_object(value, deep=True) for key, value in node.value}


StrictLoader.add_constructor("tag:yaml.org,2002:map", construct_mapping)


def configs(host, verdict):
    """The files with a scope, and what they say. One that can't be read is a problem."""
    for file in sorted([*host.files("*.yml"), *host.files("*.yaml")]):
        if "/etc/containerops/patroni-" in str(file):
            try:
                content = yaml.load(file.read_text(), StrictLoader)
            except yaml.YAMLError as error:
                verdict.problem(file, str(error))
                continue
            if isinstance(content, dict) and "scope" in content:
                yield file, content


def dynamic_configs(file, content):
    """The dynamic configuration: as the bootstrap has it, and in the file beside that is applied to a running cluster."""
    if "dcs" in content.get("bootstrap", {}):
        yield file, content["bootstrap"]["dcs"]
    applied = file.parent.parent / "dynamic/dynamic.json"
    if applied.exists():
        yield applied, json.loads(applied.read_text())
