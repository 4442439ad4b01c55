# NOT NixOS: the options that modules/nixos.nix writes to, of the types that NixOS gives them, and an /etc that holds the files and
# the units where NixOS puts them. It starts nothing.
{ lib, pkgs }:
{ modules }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  declared =
    { config, ... }:
    {
      options = {
        assertions = option (types.listOf types.unspecified) [ ];
        boot.kernelModules = option (types.listOf types.str) [ ];
        environment.etc = mkOption {
          default = { };
          type = types.attrsOf (
            types.submodule {
              options = {
                source = mkOption { type = types.path; };
                mode = option types.str "symlink";
              };
            }
          );
        };
        environment.systemPackages = option (types.listOf types.package) [ ];
        networking.hostName = option types.str "nixos";
        networking.nftables.enable = option types.bool false;
        networking.nftables.flushRuleset = option types.bool false;
        nixpkgs.hostPlatform = mkOption { type = types.str; };
        system.build.etc = mkOption { type = types.package; };
        system.stateVersion = mkOption { type = types.str; };
        systemd.packages = option (types.listOf types.package) [ ];
        systemd.tmpfiles.packages = option (types.listOf types.package) [ ];
        virtualisation.podman.enable = option types.bool false;
        virtualisation.podman.package = option types.package (pkgs config.nixpkgs.hostPlatform).podman;
      };
      config.system.build.etc =
        (pkgs config.nixpkgs.hostPlatform).runCommand "etc"
          {
            failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
            inherit (config.systemd) packages;
            tmpfiles = config.systemd.tmpfiles.packages;
          }
          (
            ''
              mkdir -p "$out/etc/systemd/system" "$out/etc/tmpfiles.d"
              for one in $packages; do
                  for unit in "$one"/etc/systemd/system/*; do
                      if [ -d "$unit" ]; then
                          mkdir -p "$out/etc/systemd/system/''${unit##*/}"
                          ln -s "$unit"/* "$out/etc/systemd/system/''${unit##*/}/"
                      else
                          ln -s "$unit" "$out/etc/systemd/system/"
                      fi
                  done
              done
              for one in $tmpfiles; do ln -s "$one"/lib/tmpfiles.d/*.conf "$out/etc/tmpfiles.d/"; done
            ''
            + lib.concatStrings (
              lib.mapAttrsToList (path: file: ''
                mkdir -p "$out/etc/${dirOf path}"
                ln -s ${file.source} "$out/etc/${path}"
                echo ${file.mode} >"$out/etc/${path}.mode"
              '') config.environment.etc
            )
          );
    };
in
lib.evalModules {
  class = "nixos";
  # NixOS hands it on by _module.args; what a module sees is the same.
  specialArgs.pkgs =
    let
      platforms = builtins.filter (one: one != null) (
        map (one: one.nixpkgs.hostPlatform or null) (builtins.filter builtins.isAttrs modules)
      );
    in
    pkgs (builtins.head platforms);
  modules = [ declared ] ++ modules;
}
