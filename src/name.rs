//! The characters that names may have. Each check returns what is allowed, for the user to read.

use std::net::Ipv4Addr;

/// What a name may look like, in words.
pub type Allowed = &'static str;

/// Checks the name of a host, a cluster, a network, a pod or a container.
pub fn label(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let clean_ends = !text.starts_with('-') && !text.ends_with('-');
    if (1..=63).contains(&text.len()) && clean_ends && text.chars().all(legal) {
        Ok(())
    } else {
        Err("1 to 63 lower-case letters, digits and hyphens, no hyphen first or last")
    }
}

/// Checks a host name on the overlay, or a DNS domain.
pub fn hostname(text: &str) -> Result<(), Allowed> {
    if text.len() <= 253 && text.split('.').all(|part| label(part).is_ok()) {
        Ok(())
    } else {
        Err(
            "labels of 1 to 63 lower-case letters, digits and hyphens, joined by dots, 253 \
             characters in all",
        )
    }
}

/// Checks an address that other hosts dial. A DNS name won't do: in a pod nothing looks names up.
pub fn dialled(text: &str) -> Result<(), Allowed> {
    let is_host = |ip: &Ipv4Addr| {
        !ip.is_unspecified() && !ip.is_broadcast() && !ip.is_loopback() && !ip.is_multicast()
    };
    if text.parse().as_ref().is_ok_and(is_host) {
        Ok(())
    } else {
        Err("an IPv4 address that the other hosts reach, such as `192.0.2.11`")
    }
}

/// Checks a Nebula group.
pub fn group(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if starts && text.len() <= 63 && text.chars().all(legal) && text != "any" {
        Ok(())
    } else {
        Err(
            "1 to 63 letters, digits, `-`, `_`, `.` and `:`, a letter or digit first; `any` is \
             Nebula's own",
        )
    }
}

/// Checks the name of a secret.
pub fn secret(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if starts && text.len() <= 200 && text.chars().all(legal) {
        Ok(())
    } else {
        Err("1 to 200 letters, digits, `-`, `_` and `.`, a letter or digit first")
    }
}

/// Checks the name of an environment variable.
pub fn environment_variable(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts && text.len() <= 255 && text.chars().all(legal) {
        Ok(())
    } else {
        Err("letters, digits and `_`, no digit first")
    }
}

/// Checks the name of a `PostgreSQL` role or database.
pub fn sql_identifier(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if starts && text.len() <= 63 && text.chars().all(legal) {
        Ok(())
    } else {
        Err("1 to 63 lower-case letters, digits, `_` and `-`, a letter or `_` first")
    }
}

/// Checks the name of a `PostgreSQL` parameter.
pub fn parameter(text: &str) -> Result<(), Allowed> {
    let part = |part: &str| {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        part.chars()
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && part.chars().all(legal)
    };
    if text.len() <= 63 && text.splitn(2, '.').all(part) {
        Ok(())
    } else {
        Err("lower-case letters, digits and `_`, with one dot where it belongs to an extension")
    }
}

/// Checks an absolute path, on a host or in a container, that several formats must carry.
pub fn path(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@');
    let part = |part: &str| {
        (1..=255).contains(&part.len()) && part != "." && part != ".." && part.chars().all(legal)
    };
    let fits = text.len() <= 1024
        && text
            .strip_prefix('/')
            .is_some_and(|rest| !rest.is_empty() && rest.split('/').all(part));
    if fits {
        Ok(())
    } else {
        Err(
            "an absolute path of letters, digits, `-`, `_`, `.`, `+` and `@`, without `.`, `..`, \
             `//` or a `/` at the end",
        )
    }
}

/// Checks an absolute path of a file that only a script reads: anything but control characters.
pub fn source_path(text: &str) -> Result<(), Allowed> {
    let fits = text.len() <= 4096
        && text.len() > 1
        && text.starts_with('/')
        && !text.ends_with('/')
        && !text.chars().any(char::is_control)
        && text
            .split('/')
            .all(|part| part != "." && part != ".." && part.len() <= 255);
    if fits {
        Ok(())
    } else {
        Err("an absolute path without control characters, `.` or `..`, and no `/` at the end")
    }
}

/// Checks the name of one file.
pub fn file_name(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@');
    let fits = (1..=200).contains(&text.len()) && !text.starts_with('.') && text.chars().all(legal);
    if fits {
        Ok(())
    } else {
        Err("1 to 200 letters, digits, `-`, `_`, `.`, `+` and `@`, no dot first")
    }
}

/// Checks an image's reference.
pub fn image(text: &str) -> Result<(), Allowed> {
    let legal =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@');
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    let ends = text
        .chars()
        .last()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if starts && ends && text.len() <= 400 && text.chars().all(legal) && !text.contains("//") {
        Ok(())
    } else {
        Err("an image with its registry, and a tag or a digest: `REGISTRY/NAME:TAG`")
    }
}

/// Checks a Linux capability, with or without `CAP_`.
pub fn capability(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_uppercase() || c == '_';
    let name = text.strip_prefix("CAP_").unwrap_or(text);
    if (1..=40).contains(&name.len()) && name.chars().all(legal) {
        Ok(())
    } else {
        Err("a capability in capitals, such as `CAP_NET_BIND_SERVICE`")
    }
}

/// Checks a device: a path on the host, one in the container, permissions.
pub fn device(text: &str) -> Result<(), Allowed> {
    const ALLOWED: Allowed = "`/dev/X`, `/dev/X:/dev/Y` or `/dev/X:/dev/Y:rwm`";
    let permissions = |part: &str| {
        (1..=3).contains(&part.len()) && part.chars().all(|c| matches!(c, 'r' | 'w' | 'm'))
    };
    let is_device = |part: &str| part.starts_with("/dev/") && path(part).is_ok();
    let parts: Vec<&str> = text.split(':').collect();
    let fits = match parts.as_slice() {
        [host] => is_device(host),
        [host, rest] => is_device(host) && (is_device(rest) || permissions(rest)),
        [host, inside, mode] => is_device(host) && is_device(inside) && permissions(mode),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ALLOWED) }
}

/// Checks a kernel parameter's name.
pub fn sysctl(text: &str) -> Result<(), Allowed> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let starts = ["net.", "kernel.", "fs.mqueue."]
        .iter()
        .any(|space| text.starts_with(space));
    if starts && text.len() <= 200 && text.chars().all(legal) {
        Ok(())
    } else {
        Err("a kernel parameter of a container: `net.…`, `kernel.…` or `fs.mqueue.…`")
    }
}

/// Checks a signal.
pub fn signal(text: &str) -> Result<(), Allowed> {
    const SIGNALS: [&str; 9] = [
        "HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "TERM", "CONT", "ALRM",
    ];
    if SIGNALS.contains(&text.strip_prefix("SIG").unwrap_or(text)) {
        Ok(())
    } else {
        Err("`HUP`, `INT`, `QUIT`, `USR1`, `USR2`, `WINCH`, `TERM`, `CONT` or `ALRM`")
    }
}

/// Checks an octal mode, and reads it.
pub fn mode(text: &str) -> Result<u32, Allowed> {
    let digits = text.len() == 4 && text.starts_with('0');
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|_| digits)
        .ok_or("four octal digits, `0` first, such as `0640`")
}

/// Checks a certificate's fingerprint.
pub fn fingerprint(text: &str) -> Result<(), Allowed> {
    if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err("64 hex digits, as `nebula-cert print` shows them")
    }
}

/// Checks a place in the WAL.
pub fn lsn(text: &str) -> Result<(), Allowed> {
    let half =
        |half: &str| (1..=8).contains(&half.len()) && half.chars().all(|c| c.is_ascii_hexdigit());
    let halves = text.split_once('/');
    if halves.is_some_and(|(high, low)| half(high) && half(low)) {
        Ok(())
    } else {
        Err("two groups of up to eight hex digits, as `pg_waldump` shows them: `0/3000120`")
    }
}

/// Checks the name of a restore point.
pub fn restore_point(text: &str) -> Result<(), Allowed> {
    if (1..=63).contains(&text.len()) && line(text).is_ok() {
        Ok(())
    } else {
        Err("1 to 63 bytes in one line, as they were given to `pg_create_restore_point`")
    }
}

/// Checks the name of one of Barman's backups.
pub fn backup_id(text: &str) -> Result<(), Allowed> {
    let fits = text.len() == 15
        && text.char_indices().all(|(at, c)| match at {
            8 => c == 'T',
            _ => c.is_ascii_digit(),
        });
    if fits {
        Ok(())
    } else {
        Err("a backup as `barman list-backups` shows it, such as `20261124T033000`")
    }
}

/// Checks a line of text that a line-based format must carry.
pub fn line(text: &str) -> Result<(), Allowed> {
    if text.chars().any(char::is_control) {
        Err("one line of text, without control characters")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_break_out_of_a_format_are_refused() {
        for text in [
            "",
            "-a",
            "a-",
            "A",
            "a b",
            "a\n",
            "a.b",
            "ä",
            "a/b",
            &"a".repeat(64),
        ] {
            assert!(label(text).is_err(), "{text:?}");
        }
        for text in [
            "", "/", "a", "/a/", "/a//b", "/a/../b", "/a b", "/a:b", "/a,b", "/a\n", "/a%b",
        ] {
            assert!(path(text).is_err(), "{text:?}");
        }
        for text in ["", ".", "..", ".a", "a/b", "a b", "a\n"] {
            assert!(file_name(text).is_err(), "{text:?}");
        }
        for text in ["any", "", "a,b", "a b", "-a"] {
            assert!(group(text).is_err(), "{text:?}");
        }
        for text in [
            "/dev/../etc",
            "/etc/passwd",
            "/dev/a:/b",
            "/dev/a:x",
            "/dev/a:/dev/b:rwz",
        ] {
            assert!(device(text).is_err(), "{text:?}");
        }
        for text in [
            "1.2.3",
            "0.0.0.0",
            "127.0.0.1",
            "999.1.1.1",
            "db1.example.com",
            "",
        ] {
            assert!(dialled(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_that_users_have_are_taken() {
        assert!(label("db-1").is_ok());
        assert!(hostname("db1.app-proxy.example.internal").is_ok());
        assert!(dialled("192.0.2.1").is_ok());
        assert!(path("/etc/web").is_ok() && source_path("/run/my secrets/%x \"y\"").is_ok());
        assert!(device("/dev/fuse").is_ok() && device("/dev/a:/dev/b:rw").is_ok());
        assert!(parameter("pg_stat_statements.max").is_ok() && parameter("a.b.c").is_err());
        assert_eq!(mode("0640"), Ok(0o640));
        assert!(mode("640").is_err() && mode("0999").is_err());
    }
}
