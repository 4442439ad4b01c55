//! Writes YAML that people review, and that YAML 1.1 readers (`PyYAML`, go-yaml) and YAML 1.2 readers read alike.

use serde::Serialize;

/// Writes `value` as block-style YAML, two spaces deep, with a final newline.
pub fn to_yaml<T: Serialize>(value: &T) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: false,
    };
    match serde_saphyr::to_string_with_options(value, options) {
        Ok(text) => text,
        Err(error) => bug(&error),
    }
}

#[expect(
    clippy::panic,
    reason = "a value that YAML can't hold is a bug in cops-gen, not a user's mistake"
)]
fn bug(error: &dyn std::fmt::Display) -> ! {
    panic!("bug in cops-gen, please report it: writing YAML: {error}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Strings that some YAML reader takes for something else, or folds, or trims.
    const TRAPS: &[&str] = &[
        "",
        " ",
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "n",
        "Y",
        "true",
        "False",
        "null",
        "Null",
        "~",
        "012",
        "0o14",
        "0x1f",
        "0b101",
        "1_000",
        "1e3",
        "1.5",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".NaN",
        "+1",
        "-1",
        "12:30:45",
        "190:20:30",
        "2001-12-14",
        "2001-12-14T21:59:43Z",
        "2001-12-14 21:59:43.10 -5",
        "=",
        "<<",
        "-",
        "?",
        ":",
        "- a",
        "? a",
        "a: b",
        "a:",
        ":a",
        "a #b",
        "#a",
        "%a",
        "@a",
        "`a",
        "&a",
        "*a",
        "!a",
        "!!str a",
        "|",
        ">",
        "|-",
        "'",
        "\"",
        "'a'",
        "\"a\"",
        "[a]",
        "{a}",
        "a,b",
        "]",
        "}",
        ",",
        "---",
        "...",
        "--- a",
        "trailing ",
        " leading",
        "\ttab",
        "tab\t",
        "a\tb",
        "two\nlines",
        "two\nlines\n",
        "\nfirst",
        "last\n\n",
        "\n",
        "a\r\nb",
        "a\rb",
        "nel\u{85}x",
        "ls\u{2028}x",
        "ps\u{2029}x",
        "nbsp\u{a0}",
        "bom\u{feff}",
        "\u{feff}bom",
        "\u{1}",
        "\u{7f}",
        "\u{1b}[1m",
        "\u{80}",
        "\u{9f}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{e9}\u{e8}",
        "\u{1f600}",
        "\u{202e}rtl",
        "c:\\path\\n",
        "0.0.0.0/0",
        "10.2.57.1:4242",
        "[::1]:2379",
        "0640",
        "1.",
        "1__0",
        "0_",
        "1:2",
        "!",
        "%",
        "host: any",
        "NO",
        "0o7",
        "+.inf",
        "08",
        "1e",
        "e1",
        "-0",
        "+12e03",
        "685.230_15e+03",
        "2001-1-1",
        "0x",
        "_",
        "._",
        "-_",
        "+",
        "key=",
        "=key",
    ];

    fn lists_of_traps() -> Value {
        let long = "word ".repeat(80) + "end";
        let mut strings: Vec<String> = TRAPS.iter().map(ToString::to_string).collect();
        strings.extend([long.clone(), format!("{long}\n{long}"), "x".repeat(300)]);
        let map: BTreeMap<&String, &String> = strings.iter().map(|text| (text, text)).collect();
        json!({ "list": strings, "map": map })
    }

    #[test]
    fn every_trap_is_read_back_as_the_string_it_was() {
        let value = lists_of_traps();
        let text = to_yaml(&value);
        assert_eq!(
            serde_saphyr::from_str::<Value>(&text).unwrap(),
            value,
            "{text}"
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            proptest::sample::select(TRAPS).prop_map(str::to_owned),
            proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
            "[-0-9a-z:.#'\" \n_~+=]{0,8}",
        ];
        let leaf = prop_oneof![
            4 => text.clone().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
            1 => (-1.0e9..1.0e9f64).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::default())]

        #[test]
        fn what_is_written_is_read_back(value in value()) {
            let text = to_yaml(&value);
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{}", text);
        }
    }
}
