# The whole outputs of a flake that holds one cluster: packages, checks and apps per system.
{
  lib,
  # system -> packages, and system -> cops-gen
  pkgsFor,
  generatorFor,
  defaultSystems,
}:
{
  # ./cluster.json, or a module or list of modules: ./cluster.nix, an attribute set, a function.
  cluster,
  # ./cluster.lock.json
  lock,
  # ./out, where the bundles are committed
  out ? null,
  systems ? defaultSystems,
}:
let
  isFile = value: builtins.isPath value || builtins.isString value;
  isJson = isFile cluster && builtins.match ".*\\.json" (toString cluster) != null;
  description = if isJson then cluster else (import ./eval.nix { inherit lib; } cluster).config;
  bundlesFor =
    system:
    import ./bundles.nix {
      inherit system lock;
      generator = generatorFor system;
      cluster = description;
    };
  each =
    f:
    builtins.listToAttrs (
      map (system: {
        name = system;
        value = f system;
      }) systems
    );

  # Where a file of the flake lies in the work tree: its path without /nix/store/HASH-source/.
  inTree =
    path:
    let
      below = builtins.match "${builtins.storeDir}/[^/]+/(.+)" (toString path);
    in
    if below == null then baseNameOf path else builtins.head below;
  app =
    system: verb: text:
    let
      pkgs = pkgsFor system;
      input =
        if isJson then inTree cluster else builtins.toFile "cluster.json" (builtins.toJSON description);
      # The first directory at or above the user's that has it is the root of the tree.
      mark = if isFile cluster then inTree cluster else "flake.nix";
      arguments = [
        verb
        "${generatorFor system}/bin/cops-gen"
        mark
        input
        (inTree lock)
      ]
      ++ lib.optional (verb == "render") (inTree (if out == null then "out" else out));
      program = pkgs.writeShellScript "cops-gen-${verb}" ''
        exec ${pkgs.runtimeShell} ${./work-tree.sh} ${lib.escapeShellArgs arguments} "$@"
      '';
    in
    {
      type = "app";
      program = "${program}";
      meta.description = text;
    };
in
{
  packages = each (
    system:
    let
      made = bundlesFor system;
    in
    made.hosts
    // {
      inherit (made) bundles;
      default = made.bundles;
      cops-gen = generatorFor system;
    }
  );

  checks = each (
    system:
    let
      made = bundlesFor system;
    in
    {
      inherit (made) bundles;
    }
    // (if out == null then { } else { out-is-current = made.isCurrent out; })
  );

  apps = each (system: {
    lock = app system "lock" "Write the lock file into the work tree";
    render = app system "render" "Write the bundles and the lock file into the work tree";
  });
}
