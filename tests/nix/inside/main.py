"""Runs the checks with each Nix. Called by tests/nix/run, inside of namespaces made for it."""

import argparse
import pathlib
import shutil
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import clusters  # noqa: E402
import flake  # noqa: E402
import host  # noqa: E402
import nix  # noqa: E402
import story  # noqa: E402

CHECKS = {
    function.__name__.removeprefix("check_").replace("_", "-"): function
    for module in (flake, clusters, story, host)
    for name, function in vars(module).items()
    if name.startswith("check_")
}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--list", action="store_true")
    options.add_argument("--checkout", type=pathlib.Path)
    options.add_argument("--nix", action="append", default=[])
    options.add_argument("--lib", type=pathlib.Path)
    options.add_argument("--sources", type=pathlib.Path)
    options.add_argument("names", nargs="*", choices=[[], *CHECKS])
    chosen = options.parse_args()
    if chosen.list:
        for name, function in CHECKS.items():
            print(f"{name:<34}{function.__doc__.strip()}")
        return
    prepare(chosen.checkout, chosen.lib)
    flake.SOURCES = chosen.sources
    passed, failed = 0, 0
    for suite, directory in (one.split("=", 1) for one in chosen.nix):
        one_nix = nix.Nix(suite, directory, chosen.lib)
        print(f"== Nix {one_nix.version} of Debian {suite}, sandboxed; nixpkgs is a stub (tests/nix/stub); its lib is {lib_in_use(chosen.lib)}")
        for name in chosen.names or CHECKS:
            start = time.monotonic()
            try:
                told = CHECKS[name](one_nix)
            except Exception as problem:  # a mistake of the check's own is a failure too
                failed += 1
                if not isinstance(problem, nix.Failed):
                    traceback.print_exc(limit=-3)
                print(f"FAILED: {suite}: {name}")
                print("  " + str(problem).replace("\n", "\n  "), flush=True)
                continue
            passed += 1
            print(f"passed: {suite}: {name}{f': {told}' if told else ''} ({time.monotonic() - start:.1f} s)", flush=True)
    if not chosen.lib:
        print("note: nixpkgs' own lib was not at hand (--lib), so what holds here holds for the stub of it")
    print("note: nothing here is NixOS, nor builds cops-gen with nixpkgs: `nix flake check` with the locked nixpkgs does both")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def lib_in_use(lib):
    if not lib:
        return "the stub's"
    return f"nixpkgs' own, {(lib / '.version').read_text().strip()}"


def prepare(checkout, lib):
    """Lays out this project's copy and the stub beside the program that is there already."""
    nix.copy_checkout(checkout)
    shutil.copytree(checkout / "tests/nix/stub", nix.STUB, dirs_exist_ok=True)
    if lib:
        shutil.copytree(lib, nix.STUB / "lib")


main()
