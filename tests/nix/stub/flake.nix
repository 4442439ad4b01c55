# NOT nixpkgs: stands in for it where it can't be had. It has what flake.nix and modules/ use and no more. tests/nix/run puts beside it
# `prebuilt` (a static cops-gen), `shell` (a static busybox), and `lib` when nixpkgs' real one was named.
{
  outputs =
    { self }:
    let
      lib = if builtins.pathExists ./lib then import ./lib else import ./lib.nix;
      pkgs = import ./pkgs.nix { inherit lib; };
    in
    {
      lib = lib // {
        nixosSystem = import ./nixos.nix { inherit lib pkgs; };
      };
      legacyPackages = builtins.listToAttrs (
        map
          (system: {
            name = system;
            value = pkgs system;
          })
          [
            "x86_64-linux"
            "aarch64-linux"
            "aarch64-darwin"
          ]
      );
    };
}
