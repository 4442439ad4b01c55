//! Models of the readers, for tests: Quadlet's parser, its writer of `ExecStart=`, and systemd's reader of that.
//!
//! The rules are those of `pkg/systemd/parser` in Podman v5.4.2 and of systemd's extract-word, env-util and
//! specifier code. They include what looks like mistakes there (an empty word ends a list), since those decide what arrives.

/// Says which escapes a splitter resolves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// A backslash is a letter like others.
    Kept,
    /// C escapes are resolved.
    Resolved,
}

/// What Quadlet's file parser keeps of the right side of a line.
pub(super) fn quadlet_value(line: &str) -> String {
    assert!(!line.contains(['\n', '\r', '\0']), "one line: {line:?}");
    let line = line.trim_end();
    assert!(!line.ends_with('\\'), "continued: {line:?}");
    line.trim_start_matches([' ', '\t', '\u{b}', '\u{c}'])
        .to_owned()
}

/// Quadlet's `Lookup`: the last value, less blanks at its end and all double quotes around it.
pub(super) fn quadlet_text(line: &str) -> String {
    quadlet_value(line).trim_end().trim_matches('"').to_owned()
}

/// Quadlet's splitting of words. An error or an empty word ends the list; an error of escapes loses all of it.
pub(super) fn quadlet_words(line: &str, escapes: Escapes) -> Vec<String> {
    let line = quadlet_value(line);
    let mut rest = line.as_str();
    let mut words = Vec::new();
    while let Some((word, left)) = next_word(rest, escapes, Bytes::Rune) {
        let word = String::from_utf8(word).unwrap();
        if word.is_empty() {
            break;
        }
        words.push(word);
        rest = left;
    }
    words
}

/// Quadlet's writing of a command line.
pub(super) fn quadlet_command(arguments: &[String]) -> String {
    let written: Vec<String> = arguments
        .iter()
        .map(|argument| {
            let mut escaped = String::new();
            for c in argument.chars() {
                escaped.push_str(&quadlet_escape(c));
            }
            let needs = |c: char| {
                u32::from(c) <= 128
                    && (c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\'))
            };
            if argument.chars().any(needs) {
                format!("\"{escaped}\"")
            } else {
                escaped
            }
        })
        .collect();
    written.join(" ")
}

fn quadlet_escape(c: char) -> String {
    match c {
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\x0b' => "\\v".into(),
        '\x0c' => "\\f".into(),
        '\\' => "\\\\".into(),
        '"' => "\\\"".into(),
        c if u32::from(c) <= 128 && c.is_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.into(),
    }
}

/// systemd's reading of a command line: split, specifiers, variables. `None` if it would refuse or split the command.
pub(super) fn systemd_command(line: &str, environment: &[(&str, &str)]) -> Option<Vec<String>> {
    let words = systemd_split(line, true)?;
    words
        .iter()
        .map(|word| variables(&specifiers(word), environment))
        .collect()
}

/// systemd's reading of words with C escapes, and of specifiers.
pub(super) fn systemd_words(line: &str) -> Option<Vec<String>> {
    Some(
        systemd_split(line, false)?
            .iter()
            .map(|word| specifiers(word))
            .collect(),
    )
}

/// systemd's reading of words whose backslashes stay, and of specifiers.
pub(super) fn systemd_strings(line: &str) -> Vec<String> {
    let mut rest = line;
    let mut words = Vec::new();
    while let Some((word, left)) = next_word(rest, Escapes::Kept, Bytes::Literal) {
        words.push(specifiers(&String::from_utf8(word).unwrap()));
        rest = left;
    }
    words
}

/// systemd's reading of a whole value.
pub(super) fn systemd_text(line: &str) -> String {
    specifiers(line.trim_matches([' ', '\t']))
}

fn systemd_split(line: &str, is_command: bool) -> Option<Vec<String>> {
    let is_valid = |c: char| {
        let code = u32::from(c);
        !(0xfdd0..=0xfdef).contains(&code) && code & 0xfffe != 0xfffe
    };
    if !line.chars().all(is_valid) || line.contains(['\n', '\r', '\0']) {
        return None;
    }
    let mut rest = line;
    let mut words = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if is_command && (rest == ";" || rest.starts_with("; ")) {
            return None;
        }
        match next_word(rest, Escapes::Resolved, Bytes::Literal) {
            None => return rest.is_empty().then_some(words),
            Some((word, left)) => {
                words.push(String::from_utf8(word).ok()?);
                rest = left;
            }
        }
    }
}

/// `%%` becomes `%`; any other specifier would change the text.
fn specifiers(word: &str) -> String {
    let undoubled = word.replace("%%", "\0");
    assert!(!undoubled.contains('%'), "specifier: {word:?}");
    undoubled.replace('\0', "%")
}

/// `$$` becomes `$`, `${NAME}` its value; a word `$NAME` would be split.
fn variables(word: &str, environment: &[(&str, &str)]) -> Option<String> {
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(left) = after.strip_prefix('$') {
            text.push('$');
            rest = left;
        } else {
            let (name, left) = after.strip_prefix('{')?.split_once('}')?;
            text.push_str(
                environment
                    .iter()
                    .find(|(variable, _)| *variable == name)?
                    .1,
            );
            rest = left;
        }
    }
    Some(text + rest)
}

/// Says what `\xNN` means: a code point for Quadlet, a byte for systemd.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Rune,
    Literal,
}

/// Takes the next word off `text`; `None` at the end and on broken quotes or escapes.
fn next_word(text: &str, escapes: Escapes, bytes: Bytes) -> Option<(Vec<u8>, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r']);
    if text.is_empty() {
        return None;
    }
    let mut word = Vec::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        match c {
            '\\' if escapes == Escapes::Resolved => rest = unescape(rest, &mut word, bytes)?,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            ' ' | '\t' | '\n' | '\r' if quote.is_none() => return Some((word, rest)),
            c => push(&mut word, c),
        }
    }
    quote.is_none().then_some((word, rest))
}

fn push(word: &mut Vec<u8>, c: char) {
    word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unescape<'t>(text: &'t str, word: &mut Vec<u8>, bytes: Bytes) -> Option<&'t str> {
    let kind = text.chars().next()?;
    let rest = text.get(kind.len_utf8()..)?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let code = u32::from_str_radix(rest.get(..digits)?, 16)
            .ok()
            .filter(|code| *code != 0)?;
        match u8::try_from(code) {
            Ok(byte) if kind == 'x' && bytes == Bytes::Literal => word.push(byte),
            _ => push(word, char::from_u32(code)?),
        }
        return rest.get(digits..);
    }
    let c = match kind {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        's' => ' ',
        '\\' | '"' | '\'' => kind,
        _ => return None,
    };
    push(word, c);
    Some(rest)
}
