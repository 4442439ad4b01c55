# NOT nixpkgs' lib: the functions of it that this project uses, by their names there.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    isList
    listToAttrs
    stringLength
    substring
    ;
  strings = rec {
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        length = stringLength text - stringLength suffix;
      in
      length >= 0 && substring length (-1) text == suffix;
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    concatStrings = concatStringsSep "";
    concatMapStrings = f: list: concatStrings (map f list);
    escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
    escapeShellArgs = list: concatStringsSep " " (map escapeShellArg list);
    versionAtLeast = one: other: builtins.compareVersions one other >= 0;
  };
  sets = rec {
    nameValuePair = name: value: { inherit name value; };
    filterAttrs = f: set: removeAttrs set (filter (name: !f name set.${name}) (attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  };
  modules = import ./module-system.nix { inherit lib; };
  fileset = {
    # A set is the list of its paths.
    unions = concatMap (one: if isList one then one else [ one ]);
    toSource =
      { root, fileset }:
      let
        wanted = map toString fileset;
        isWanted =
          path:
          builtins.any (
            one: path == one || lib.hasPrefix "${one}/" path || lib.hasPrefix "${path}/" one
          ) wanted;
        path = builtins.path {
          name = "source";
          path = root;
          filter = path: _: isWanted path;
        };
      in
      {
        outPath = path;
        inherit path;
        _type = "source";
      };
  };
  lib =
    builtins
    // strings
    // sets
    // modules
    // {
      inherit fileset;
      toList = value: if isList value then value else [ value ];
      optional = condition: value: if condition then [ value ] else [ ];
      optionals = condition: list: if condition then list else [ ];
      optionalString = condition: text: if condition then text else "";
      optionalAttrs = condition: set: if condition then set else { };
      importTOML = path: builtins.fromTOML (builtins.readFile path);
      licenses.asl20.spdxId = "Apache-2.0";
      isStub = true;
    };
in
lib
