# NOT nixpkgs' module system: imitates its results for what modules/ and tests/nix do with it, and the wording of its errors as far as
# tests read it. No type merging, no documentation, no _module.args.
{ lib }:
let
  inherit (builtins)
    all
    any
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    functionArgs
    head
    intersectAttrs
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    removeAttrs
    toJSON
    ;

  # A definition is { file; value; }, and { file; value; priority; } once its conditions are settled.
  is = kind: value: isAttrs value && value._type or null == kind;
  discharge =
    definition:
    let
      inherit (definition) file value;
      deeper = value: discharge { inherit file value; };
    in
    if is "if" value then
      if value.condition then deeper value.content else [ ]
    else if is "merge" value then
      concatMap deeper value.contents
    else if is "override" value then
      # Not looked into: what yields to another definition may be an error.
      [
        {
          inherit file;
          inherit (value) priority;
          value = value.content;
        }
      ]
    else
      [
        {
          inherit file value;
          priority = 100;
        }
      ];
  # The same for a set, whose conditions move to its attributes and stay lazy there.
  pushDown =
    definition:
    let
      inherit (definition) file value;
      deeper = value: pushDown { inherit file value; };
      wrapped = wrap: map (one: one // { value = mapAttrs (_: wrap) one.value; }) (deeper value.content);
    in
    if is "merge" value then
      concatMap deeper value.contents
    else if is "if" value then
      wrapped (mkIf value.condition)
    else if is "override" value then
      wrapped (mkOverride value.priority)
    else
      [ definition ];

  # The definitions of one attribute.
  picked =
    definitions: name:
    map (one: one // { value = one.value.${name}; }) (filter (one: one.value ? ${name}) definitions);

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };

  path = concatStringsSep ".";
  shown =
    definitions:
    concatStringsSep "\n" (
      map (one: "- In `${one.file}': ${toJSON one.value}") (
        # What can't be printed is left out.
        filter (one: (builtins.tryEval (builtins.deepSeq one.value one.value)).success) definitions
      )
    );
  unique = foldl' (found: one: if elem one found then found else found ++ [ one ]) [ ];

  merged =
    at: type: definitions:
    let
      settled = concatMap discharge definitions;
      lowest = foldl' (least: one: if one.priority < least then one.priority else least) 9999 settled;
      strongest = filter (one: one.priority == lowest) settled;
      wrong = filter (one: !type.check one.value) strongest;
    in
    if settled == [ ] then
      type.emptyValue.value
        or (throw "The option `${path at}' was accessed but has no value defined. Try setting the option.")
    else if wrong != [ ] then
      throw "A definition for option `${path at}' is not of type `${type.description}'. Definition values:\n${shown wrong}"
    else
      type.merge at strongest;
  equal =
    at: definitions:
    if all (one: one.value == (head definitions).value) definitions then
      (head definitions).value
    else
      throw "The option `${path at}' has conflicting definition values:\n${shown definitions}";

  type = description: check: {
    inherit description check;
    merge = equal;
  };
  types = rec {
    unspecified = type "unspecified value" (_: true);
    bool = type "boolean" isBool;
    int = type "signed integer" isInt;
    number = type "signed integer or floating point number" (
      value: isInt value || builtins.isFloat value
    );
    str = type "string" isString;
    path = type "absolute path" (
      value: isPath value || value ? outPath || (isString value && builtins.substring 0 1 value == "/")
    );
    package = type "package" (value: isAttrs value && value.type or null == "derivation");
    ints.between =
      least: most:
      type "integer between ${toString least} and ${toString most} (both inclusive)" (
        value: isInt value && value >= least && value <= most
      );
    enum = words: type "one of ${concatStringsSep ", " (map toJSON words)}" (value: elem value words);
    addCheck = inner: check: inner // { check = value: inner.check value && check value; };
    nullOr =
      inner:
      type "null or ${inner.description}" (value: value == null || inner.check value)
      // {
        merge =
          at: definitions:
          if all (one: one.value == null) definitions then null else inner.merge at definitions;
      };
    oneOf =
      inner:
      type (concatStringsSep " or " (map (one: one.description) inner)) (
        value: any (one: one.check value) inner
      )
      // {
        merge =
          at: definitions:
          (head (filter (one: all (definition: one.check definition.value) definitions) inner)).merge at
            definitions;
      };
    listOf =
      inner:
      type "list of ${inner.description}" isList
      // {
        merge =
          at: definitions:
          concatMap (
            definition:
            lib.imap (
              number: value:
              merged (at ++ [ "[definition 1-entry ${toString number}]" ]) inner [
                {
                  inherit (definition) file;
                  inherit value;
                }
              ]
            ) definition.value
          ) definitions;
        emptyValue.value = [ ];
      };
    attrsOf =
      inner:
      type "attribute set of ${inner.description}" isAttrs
      // {
        merge =
          at: definitions:
          let
            sets = concatMap pushDown definitions;
            of = picked sets;
          in
          listToAttrs (
            concatMap (
              name:
              if concatMap discharge (of name) == [ ] then
                [ ]
              else
                [
                  {
                    inherit name;
                    value = merged (at ++ [ name ]) inner (of name);
                  }
                ]
            ) (unique (concatMap (one: attrNames one.value) sets))
          );
        emptyValue.value = { };
      };
    submodule =
      module:
      type "submodule" (value: isAttrs value || isFunction value || isPath value)
      // {
        merge =
          at: definitions:
          (evaluate at {
            modules = [
              module
            ]
            ++ map (one: {
              _file = one.file;
              config = one.value;
            }) definitions;
          }).config;
      };
  };

  evaluate =
    prefix:
    {
      modules,
      specialArgs ? { },
      class ? null,
    }:
    let
      given = {
        inherit lib config;
        options = mapAttrs (name: option: option // { loc = prefix ++ [ name ]; }) options;
      }
      // specialArgs;
      load =
        file: module:
        if isPath module || isString module then
          load (toString module) (import module)
        else if isFunction module then
          load file (module (intersectAttrs (functionArgs module) given))
        else
          let
            named = module._file or file;
            whole =
              if module ? config || module ? options || module ? imports then
                module
              else
                { config = removeAttrs module [ "_file" ]; };
          in
          [
            {
              file = named;
              options = whole.options or { };
              value = whole.config or { };
            }
          ]
          ++ concatMap (load named) (whole.imports or [ ]);
      loaded = concatMap (load "<unknown-file>") modules;
      both =
        one: other:
        one
        // mapAttrs (
          name: option: if one ? ${name} && !is "option" option then both one.${name} option else option
        ) other;
      options = foldl' both { } (map (one: one.options) loaded);
      walk =
        at: options: definitions:
        let
          sets = concatMap pushDown definitions;
          of = picked sets;
          extra = filter (name: !(options ? ${name})) (unique (concatMap (one: attrNames one.value) sets));
          default =
            option:
            if option ? default then
              [
                {
                  file = "<default>";
                  value = mkOverride 1500 option.default;
                }
              ]
            else
              [ ];
        in
        if extra != [ ] then
          throw "The option `${path (at ++ [ (head extra) ])}' does not exist. Definition values:\n${shown (of (head extra))}"
        else
          mapAttrs (
            name: option:
            if is "option" option then
              merged (at ++ [ name ]) (option.type or types.unspecified) (of name ++ default option)
            else
              walk (at ++ [ name ]) option (of name)
          ) options;
      config = walk prefix options loaded;
    in
    {
      inherit config options;
    };
in
{
  inherit mkIf mkOverride types;
  evalModules = evaluate [ ];
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkOption = option: option // { _type = "option"; };
  showOption = path;
  mkEnableOption = text: {
    _type = "option";
    type = types.bool;
    default = false;
    description = "Whether to enable ${text}.";
  };
  literalExpression = text: { inherit text; };
  imap = f: list: builtins.genList (index: f (index + 1) (builtins.elemAt list index)) (length list);
}
