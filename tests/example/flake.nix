{
  description = "One cluster: its description, its lock and its bundles";

  # Where you got cops-gen from.
  inputs.cops-gen.url = "github:OWNER/cops-gen";

  outputs =
    { cops-gen, ... }:
    cops-gen.lib.mkClusterFlake {
      cluster = ./cluster.json; # or a module: ./cluster.nix
      lock = ./cluster.lock.json;
      out = ./out;
    };
}
