# A NixOS host that runs its bundle. NixOS does what `activate` does elsewhere with files and units: it puts them in place, restarts
# and reloads what manifest.json says, and stops what is gone.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.cops-gen;
  bundle = "${cfg.bundle}";
  manifest = builtins.fromJSON (builtins.readFile "${bundle}/manifest.json");

  # Where the files of rootfs/ go: path below `prefix` -> path in the bundle.
  below =
    prefix:
    lib.listToAttrs (
      map (path: lib.nameValuePair (lib.removePrefix "rootfs/${prefix}" path) path) (
        builtins.filter (lib.hasPrefix "rootfs/${prefix}") (builtins.attrNames manifest.files)
      )
    );
  units = below "etc/systemd/system/";
  tmpfiles = below "etc/tmpfiles.d/";
  programs = below "usr/local/bin/";
  isOfSystemd = path: lib.hasPrefix "systemd/system/" path || lib.hasPrefix "tmpfiles.d/" path;
  copies = lib.filterAttrs (path: _: !isOfSystemd path) (below "etc/");
  homeless = builtins.filter (
    path:
    lib.hasPrefix "rootfs/" path
    && !lib.hasPrefix "rootfs/etc/" path
    && !lib.hasPrefix "rootfs/usr/local/bin/" path
  ) (builtins.attrNames manifest.files);

  # What changes when one of these files does.
  digest =
    paths:
    builtins.hashString "sha256" (
      lib.concatMapStrings (
        path: "${path} ${manifest.files.${path}.mode} ${manifest.files.${path}.sha256}\n"
      ) paths
    );
  # switch-to-configuration restarts a unit when its text differs, and reloads it when only X-Reload-Triggers does.
  dropIn =
    name: unit:
    lib.concatStringsSep "\n" (
      [
        "[Unit]"
        "X-Restart-Triggers=${digest unit.restart}"
      ]
      ++ lib.optional (unit.reload != [ ]) "X-Reload-Triggers=${digest unit.reload}"
      ++ lib.optionals (lib.hasSuffix ".service" name) (
        [
          ""
          "[Service]"
          # A path that stays, so that another nixpkgs alone restarts nothing.
          "Environment=PATH=/run/current-system/sw/bin"
          # Not stopped before the new files are there, but restarted after.
          "X-StopIfChanged=false"
        ]
        ++ lib.optional (unit.on_change == "operator" && !cfg.restartMembers) "X-RestartIfChanged=false"
      )
    )
    + "\n";

  fromBundle =
    directory:
    lib.mapAttrsToList (
      path: source: {
        name = "${directory}/${path}";
        path = "${bundle}/${source}";
      }
    );
  forSystemd = pkgs.linkFarm "cops-gen-${manifest.host}" (
    fromBundle "etc/systemd/system" units
    ++ fromBundle "lib/tmpfiles.d" tmpfiles
    ++ lib.concatLists (
      lib.mapAttrsToList (
        name: unit:
        [
          {
            name = "etc/systemd/system/${name}.d/10-cops-gen.conf";
            path = pkgs.writeText "10-cops-gen.conf" (dropIn name unit);
          }
        ]
        # Quadlet's units are made at boot, so NixOS would not know them: a link makes it compare, stop and restart them. The idea is
        # quadlet-nix's (https://github.com/SEIAROTg/quadlet-nix).
        ++ lib.optional (!units ? ${name}) {
          name = "etc/systemd/system/${name}";
          path = "/run/systemd/generator/${name}";
        }
      ) manifest.units
    )
  );
in
{
  options.services.cops-gen = {
    enable = lib.mkEnableOption "the bundle that cops-gen rendered for this host";
    bundle = lib.mkOption {
      type = lib.types.path;
      example = lib.literalExpression "./out/hosts/db1";
      description = ''
        This host's bundle: the directory that is committed, or a package. A package is built while the configuration is
        evaluated (import from derivation), which some builders forbid.
      '';
    };
    host = lib.mkOption {
      type = lib.types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The host's name in the description. A bundle of another host is refused.";
    };
    restartMembers = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether a switch also restarts what a database or an etcd member runs in. Off, their changes wait until you
        restart them, one host at a time.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = manifest.version == 1;
        message = "services.cops-gen.bundle: manifest.json is of version ${toString manifest.version}, and this module knows 1: take both from the same cops-gen.";
      }
      {
        assertion = manifest.host == cfg.host;
        message = "services.cops-gen.bundle is the bundle of ${manifest.host}, and this host is ${cfg.host}: name its own, or set services.cops-gen.host.";
      }
      {
        assertion = homeless == [ ];
        message = "services.cops-gen.bundle: this module does not know where to put ${toString homeless}: take it from the cops-gen that rendered the bundle.";
      }
      {
        assertion = lib.versionAtLeast config.virtualisation.podman.package.version manifest.podman_version;
        message = "services.cops-gen.bundle is written for Podman ${manifest.podman_version}, and this host has ${config.virtualisation.podman.package.version}: say podman_version in the description.";
      }
      {
        assertion = !(config.networking.nftables.enable && config.networking.nftables.flushRuleset);
        message = "networking.nftables.flushRuleset would take away the rules that the pods' networks and their locks are made of: set it to false.";
      }
    ];

    virtualisation.podman.enable = true; # with Quadlet's generator
    boot.kernelModules = [ "tun" ];

    # Copies, since a container sees the directory that it mounts and not the store that a link points into. Git and the store keep
    # no modes: the manifest does.
    environment.etc = lib.mapAttrs (_: path: {
      source = "${bundle}/${path}";
      inherit (manifest.files.${path}) mode;
    }) copies;

    environment.systemPackages = [
      (pkgs.linkFarm "cops-gen-programs-${manifest.host}" (fromBundle "bin" programs))
      pkgs.jq
      pkgs.nftables
      pkgs.util-linux
    ];
    systemd.packages = [ forSystemd ];
    systemd.tmpfiles.packages = [ forSystemd ];
  };
}
