# The bundles of one cluster, as plain derivations whose builder is cops-gen itself: no shell, no stdenv, an empty environment.
# Needs no nixpkgs.
{
  # A package with bin/cops-gen.
  generator,
  # The system that it runs on. What it writes does not depend on it.
  system,
  # cluster.json, or what it holds as an attribute set.
  cluster,
  # cluster.lock.json.
  lock,
}:
let
  # A file by itself: a change beside it builds nothing anew.
  file =
    name: path: remedy:
    if builtins.pathExists path then
      builtins.path { inherit name path; }
    else
      throw "cops-gen: Nix sees no ${baseNameOf path} here. Run ${remedy}, then `git add` what it wrote: a flake has what git tracks.";
  description =
    if builtins.isAttrs cluster then cluster else builtins.fromJSON (builtins.readFile cluster);
  # toFile refuses what refers to a package: nothing of a host's comes out of the store by accident.
  clusterFile =
    if builtins.isAttrs cluster then
      builtins.toFile "cluster.json" (builtins.toJSON cluster)
    else
      builtins.path {
        name = "cluster.json";
        path = cluster;
      };
  arguments = [
    "render"
    clusterFile
    "--lock"
    (file "cluster.lock.json" lock "`nix run .#lock`")
    "--locked"
  ];
  program = "${generator}/bin/cops-gen";
  render =
    name: more:
    derivation {
      inherit name system;
      builder = program;
      args = arguments ++ more;
      # Nothing in a bundle may point into the store of the machine that built it.
      allowedReferences = [ ];
      preferLocalBuild = true;
      allowSubstitutes = false;
    };
in
{
  # What `cops-gen render` writes: all hosts, and the operator's files.
  bundles = render "bundles" [
    "--out"
    (builtins.placeholder "out")
  ];

  # Each host's own: what lies in hosts/NAME of the whole.
  hosts = builtins.mapAttrs (
    name: _:
    render "bundle-${name}" [
      "--host"
      name
      "--bundle"
      (builtins.placeholder "out")
    ]
  ) description.hosts;

  # Builds if a committed tree is what cops-gen renders now, and says otherwise what differs.
  isCurrent =
    out:
    derivation {
      name = "out-is-current";
      inherit system;
      builder = "/bin/sh";
      args = [
        "-c"
        ''"$@" && : >"$out"''
        "sh"
        program
      ]
      ++ arguments
      ++ [
        "--check"
        "--out"
        (file "out" out "`nix run .#render`")
      ];
      preferLocalBuild = true;
      allowSubstitutes = false;
    };
}
