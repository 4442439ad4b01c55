# Options of the module system out of a JSON Schema. There is no list of fields beside the schema, and no default: what is left
# unset stays out of the result, so that cops-gen's own default holds. A form that is not known here is an error, never a guess.
{ lib, schema }:
let
  inherit (lib) types;

  resolve =
    node:
    if node ? "$ref" then
      let
        name = lib.removePrefix "#/$defs/" node."$ref";
        target = schema."$defs".${name} or (throw "json-schema.nix: there is no definition ${node."$ref"}");
      in
      resolve target // removeAttrs node [ "$ref" ]
    else
      node;
  isNull = node: (resolve node).type or null == "null";

  typeOf =
    where: unresolved:
    let
      node = resolve unresolved;
      kind = node.type or null;
      unknown = throw "json-schema.nix: ${where}: this form of schema is not known: ${builtins.toJSON node}";
    in
    if node ? const then
      types.enum [ node.const ]
    else if node ? enum then
      types.enum node.enum
    else if node ? oneOf || node ? anyOf then
      choice where (node.oneOf or node.anyOf)
    else if builtins.isList kind then
      choice where (map (one: node // { type = one; }) kind)
    else if kind == "object" then
      object where node
    else if kind == "array" then
      list node (many types.listOf (typeOf "${where}.*" (node.items or unknown)))
    else if kind == "string" then
      types.str
    else if kind == "boolean" then
      types.bool
    else if kind == "integer" then
      integer node
    else if kind == "number" then
      types.number
    else
      unknown;

  # An unknown form is told even when nothing of it is set.
  many = of: inner: builtins.seq inner (of inner);

  choice =
    where: alternatives:
    let
      others = builtins.filter (one: !isNull one) alternatives;
      words = map resolve others;
      isWord = one: one ? const || one ? enum;
      type =
        # Words with a comment each are one enum.
        if builtins.all isWord words then
          types.enum (builtins.concatMap (one: one.enum or [ one.const ]) words)
        else
          types.oneOf (map (typeOf where) others);
    in
    if builtins.length others < builtins.length alternatives then types.nullOr type else type;

  list =
    node: type:
    let
      least = node.minItems or 0;
      most = node.maxItems or null;
      fits = value: builtins.length value >= least && (most == null || builtins.length value <= most);
    in
    if least == 0 && most == null then
      type
    else
      types.addCheck type fits
      // {
        description = "${type.description}, ${toString least} to ${
          if most == null then "any number" else toString most
        } of them";
      };

  integer =
    node:
    if node ? minimum && node ? maximum then
      types.ints.between node.minimum node.maximum
    else if node ? minimum then
      types.addCheck types.int (value: value >= node.minimum)
      // {
        description = "integer, at least ${toString node.minimum}";
      }
    else
      types.int;

  object =
    where: node:
    if node ? properties then
      if node.additionalProperties or true == false then
        types.submodule (moduleOf where node)
      else
        throw "json-schema.nix: ${where}: this object is open beside its properties, which is not known"
    else
      many types.attrsOf (
        typeOf "${where}.<name>" (
          node.additionalProperties or (throw "json-schema.nix: ${where}: nothing says what this map holds")
        )
      );

  moduleOf =
    where: node:
    { options, ... }:
    {
      options = builtins.mapAttrs (
        name: property:
        let
          said = resolve property;
          isNeeded = builtins.elem name (node.required or [ ]);
          type = typeOf "${where}.${name}" property;
          default = said.default or null;
        in
        lib.mkOption (
          {
            type = if isNeeded then type else types.nullOr type;
            description =
              said.description or ""
              + lib.optionalString (default != null) "\n\ncops-gen's default: `${builtins.toJSON default}`.";
          }
          // (
            if !isNeeded then
              {
                default = null;
                defaultText = "left to cops-gen";
              }
            # The module system takes a set or a list that is missing for an empty one.
            else if said.type or null == "object" || said.type or null == "array" then
              {
                default = throw "The option `${
                  lib.showOption options.${name}.loc
                }' was accessed but has no value defined. Try setting the option.";
                defaultText = "none, it is needed";
              }
            else
              { }
          )
        )
      ) node.properties;
    };

  withoutUnset =
    value:
    if builtins.isAttrs value then
      builtins.mapAttrs (_: withoutUnset) (lib.filterAttrs (_: one: one != null) value)
    else if builtins.isList value then
      map withoutUnset value
    else
      value;
in
{
  module = moduleOf "cluster" schema;
  inherit withoutUnset;
}
