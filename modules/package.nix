# cops-gen itself.
{
  lib,
  rustPlatform,
  # Also run the tests, which read the whole tree.
  withTests ? false,
}:
let
  manifest = (lib.importTOML ../Cargo.toml).package;
  # What is compiled in beside the sources: templates, the pages of `explain`, what `init` writes.
  needed = lib.fileset.unions [
    ../Cargo.toml
    ../Cargo.lock
    ../src
    ../templates
    ../docs/codes
    ../tests/example
  ];
  tested = lib.fileset.unions [
    needed
    ../README.md
    ../docs
    ../modules
    ../out
    ../tests
  ];
in
rustPlatform.buildRustPackage {
  pname = manifest.name + lib.optionalString withTests "-tests";
  inherit (manifest) version;
  src = lib.fileset.toSource {
    root = ../.;
    fileset = if withTests then tested else needed;
  };
  cargoLock.lockFile = ../Cargo.lock;
  doCheck = withTests;
  meta = {
    inherit (manifest) description;
    license = lib.licenses.asl20;
    mainProgram = "cops-gen";
  };
}
