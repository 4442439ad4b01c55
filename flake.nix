{
  description = "One description of a PostgreSQL platform in, static files per host out";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      # No name of an output comes from nixpkgs: they can be listed without it.
      each =
        f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f system;
          }) systems
        );
      pkgsFor = system: nixpkgs.legacyPackages.${system};
      generatorFor = system: self.packages.${system}.cops-gen;

      # out/ is this.
      example = self.lib.mkClusterFlake {
        cluster = ./tests/example/cluster.json;
        lock = ./tests/example/cluster.lock.json;
        out = ./out;
      };
    in
    {
      lib = {
        # { generator, system, cluster, lock } -> { hosts.NAME, bundles, isCurrent }, without nixpkgs
        mkBundles = import ./modules/bundles.nix;
        # modules -> { config, json, options }
        evalCluster = import ./modules/eval.nix { inherit (nixpkgs) lib; };
        # { cluster, lock, out } -> the outputs of a flake
        mkClusterFlake = import ./modules/cluster-flake.nix {
          inherit (nixpkgs) lib;
          inherit pkgsFor generatorFor;
          defaultSystems = systems;
        };
      };

      packages = each (
        system:
        example.packages.${system}
        // {
          cops-gen = (pkgsFor system).callPackage ./modules/package.nix { };
          default = generatorFor system;
        }
      );

      inherit (example) apps;

      checks = each (
        system:
        let
          pkgs = pkgsFor system;
        in
        example.checks.${system}
        // {
          tests = pkgs.callPackage ./modules/package.nix { withTests = true; };
          format = pkgs.runCommand "format" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
            find ${./flake.nix} ${./modules} ${./tests/nix} -name '*.nix' -exec nixfmt --check {} +
            touch "$out"
          '';
          # The same cluster written in Nix is the same bundles.
          cluster-in-nix =
            (self.lib.mkBundles {
              inherit system;
              generator = generatorFor system;
              cluster = (self.lib.evalCluster ./tests/nix/cluster.nix).config;
              lock = ./tests/example/cluster.lock.json;
            }).isCurrent
              ./out;
        }
        // (
          if builtins.match ".*-linux" system == null then
            { }
          else
            {
              # A NixOS with each host's bundle: its /etc with every unit is built, nothing is started.
              nixos = pkgs.linkFarm "nixos" (
                map (host: {
                  name = host;
                  path =
                    (nixpkgs.lib.nixosSystem {
                      modules = [
                        self.nixosModules.default
                        {
                          nixpkgs.hostPlatform = system;
                          networking.hostName = host;
                          system.stateVersion = "26.05";
                          services.cops-gen = {
                            enable = true;
                            bundle = ./out/hosts + "/${host}";
                          };
                        }
                      ];
                    }).config.system.build.etc;
                }) (builtins.attrNames (builtins.readDir ./out/hosts))
              );
            }
        )
      );

      devShells = each (system: {
        default = (pkgsFor system).mkShell {
          inputsFrom = [ (generatorFor system) ];
          packages = with (pkgsFor system); [
            clippy
            jq
            nixfmt
            rust-analyzer
            rustfmt
            shellcheck
          ];
        };
      });

      formatter = each (system: (pkgsFor system).nixfmt-tree);

      overlays.default = final: _: { cops-gen = final.callPackage ./modules/package.nix { }; };

      nixosModules.default = self.nixosModules.cops-gen;
      nixosModules.cops-gen.imports = [ ./modules/nixos.nix ];

      templates.default = {
        path = ./tests/example;
        description = "One cluster: its description, its lock, its bundles, and `nix build .#HOST`";
        welcomeText = ''
          Put your own hosts into cluster.json, then:

              nix run .#render      # writes the lock and out/
              git add .
              nix flake check       # is out/ what the description says?
              nix build .#db1       # one host's bundle, in result/
        '';
      };
    };
}
