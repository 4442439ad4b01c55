# NOT nixpkgs' packages. Builders run in a static busybox; what is compiled there was compiled before here.
{ lib }:
system:
let
  shell = builtins.path {
    path = ./shell;
    name = "stub-shell";
  };
  prebuilt = builtins.path {
    path = ./prebuilt;
    name = "stub-prebuilt";
  };
  runCommand =
    name: environment: script:
    derivation (
      environment
      // {
        inherit name system;
        builder = "${shell}/bin/busybox";
        args = [
          "sh"
          "-euc"
          ''
            ${shell}/bin/busybox mkdir bin
            ${shell}/bin/busybox --install -s bin
            export PATH=$PWD/bin
            for one in ''${nativeBuildInputs-}; do PATH=$one/bin:$PATH; done
            ${script}
          ''
        ];
      }
    );
  writeText = name: text: runCommand name { inherit text; } ''printf %s "$text" >"$out"'';
  # A program that only says what it is.
  program =
    name: version:
    runCommand "${name}-${version}" { } ''
      mkdir -p "$out/bin"
      printf '#!${shell}/bin/sh\necho "${name}: a stub" >&2\n' >"$out/bin/${name}"
      chmod +x "$out/bin/${name}"
    ''
    // {
      inherit version;
    };
  pkgs = {
    inherit
      lib
      runCommand
      system
      writeText
      ;
    runtimeShell = "${shell}/bin/sh";
    writeShellScript =
      name: text:
      runCommand name { text = "#! ${shell}/bin/sh\n${text}"; } ''
        printf %s "$text" >"$out"
        chmod +x "$out"
      '';
    linkFarm =
      name: entries:
      runCommand name { } (
        "mkdir -p \"$out\"; cd \"$out\"\n"
        + lib.concatMapStrings (one: ''
          mkdir -p ${dirOf one.name}
          ln -s ${one.path} ${one.name}
        '') entries
      );
    callPackage =
      file: more:
      let
        f = import file;
      in
      f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // more);
    # Nothing is compiled and no test is run: the binary that cargo built is handed on.
    rustPlatform.buildRustPackage =
      arguments:
      assert builtins.pathExists arguments.cargoLock.lockFile;
      runCommand "${arguments.pname}-${arguments.version}" { } ''cp -r ${prebuilt} "$out"''
      // {
        inherit (arguments) meta src;
      };
    mkShell = arguments: runCommand "shell" { inherit (arguments) packages; } ''echo >"$out"'';
  }
  // builtins.mapAttrs program {
    clippy = "1";
    jq = "1";
    nftables = "1";
    nixfmt = "1";
    nixfmt-tree = "1";
    podman = "5.4.2";
    rust-analyzer = "1";
    rustfmt = "1";
    shellcheck = "1";
    util-linux = "1";
  };
in
pkgs
