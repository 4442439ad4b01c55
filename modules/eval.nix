# A cluster written as Nix modules, turned into what cops-gen reads as JSON.
{
  lib,
  # The JSON Schema of the description: every option and every type comes out of it.
  schema ? builtins.fromJSON (builtins.readFile ./cluster.schema.json),
}:
# A module or a list of them: paths, attribute sets or functions.
modules:
let
  description = import ./json-schema.nix { inherit lib schema; };
  evaluated = lib.evalModules {
    class = "copsGenCluster";
    modules = [ description.module ] ++ lib.toList modules;
  };
  config = description.withoutUnset evaluated.config;
in
{
  inherit config;
  inherit (evaluated) options;
  # The text of cluster.json.
  json = builtins.toJSON config;
}
