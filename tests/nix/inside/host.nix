# A host of the stub's NixOS with a bundle: what its modules come to.
{
  stub,
  lib,
  system,
  module,
  bundle,
  host,
  # more of the user's configuration
  more ? { },
}:
let
  pkgs = import "${stub}/pkgs.nix" { inherit lib; };
  inherit
    (import "${stub}/nixos.nix" { inherit lib pkgs; } {
      modules = [
        module
        {
          nixpkgs.hostPlatform = system;
          networking.hostName = host;
          system.stateVersion = "26.05";
          services.cops-gen = {
            enable = true;
            inherit bundle;
          };
        }
        more
      ];
    })
    config
    ;
in
{
  inherit (config.system.build) etc;
  programs = (pkgs system).linkFarm "programs" (
    map (one: {
      name = one.name;
      path = one;
    }) config.environment.systemPackages
  );
  told = {
    failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
    podman = config.virtualisation.podman.enable;
    modules = config.boot.kernelModules;
    programs = map (one: one.name) config.environment.systemPackages;
  };
}
