//! Proves that what is pushed arrives, through models of every reader on the way.

use proptest::prelude::*;

use super::read::{
    Escapes, quadlet_command, quadlet_text, quadlet_value, quadlet_words, systemd_command,
    systemd_strings, systemd_text, systemd_words,
};
use super::*;

const STAND_INS: [(&str, &str); 2] = [("EMPTY", ""), ("U0080", "\u{80}")];

/// Ugly on purpose: every character that some reader on the way gives a meaning.
fn ugly() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => proptest::sample::select(
            "\"'\\$%{}; \t\n\r#=:,[]()`!|&<>*?~^@-+/.aEMPTY\u{7f}\u{1b}\u{1}\u{80}\u{85}\u{a0}\u{9f}\u{2028}\u{202e}\u{feff}\u{e9}\u{3000}\u{1f600}\u{e0001}"
                .chars()
                .collect::<Vec<_>>()
        ),
        1 => any::<char>().prop_filter("NUL", |c| *c != '\0'),
    ];
    proptest::collection::vec(character, 0..24).prop_map(String::from_iter)
}

/// As [`ugly`], without what no key for one line carries.
fn ugly_line() -> impl Strategy<Value = String> {
    ugly().prop_map(|text| text.replace(is_line_breaking, ""))
}

fn right_sides<K: Key>(key: K, words: &[String]) -> Vec<String> {
    let mut unit = Unit::new();
    unit.push_words(key, words);
    unit.sections[&K::SECTION]
        .split('\n')
        .map(|line| line.split_once('=').unwrap().1.to_owned())
        .collect()
}

/// The arguments that a program gets which Quadlet starts with `arguments`.
fn started(arguments: &[String]) -> Option<Vec<String>> {
    let mut command = vec!["/usr/bin/podman".to_owned()];
    command.extend_from_slice(arguments);
    let line = quadlet_command(&command);
    Some(systemd_command(&line, &STAND_INS)?.split_off(1))
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn any_command_arrives(words in proptest::collection::vec(ugly(), 1..6)) {
        prop_assume!(can_carry_words(ContainerKey::Exec, &words).is_ok());
        let lines = right_sides(ContainerKey::Exec, &words);
        let arguments = quadlet_words(&lines[0], Escapes::Resolved);
        prop_assert_eq!(started(&arguments), Some(words));
    }

    #[test]
    fn any_environment_value_arrives(value in ugly()) {
        let assignment = assign("NAME", &value);
        prop_assume!(can_carry(ContainerKey::Environment, &assignment).is_ok());
        let lines = right_sides(ContainerKey::Environment, std::slice::from_ref(&assignment));
        let arguments = quadlet_words(&lines[0], Escapes::Resolved);
        prop_assert_eq!(started(&arguments), Some(vec![assignment]));
    }

    #[test]
    fn any_entrypoint_arrives(words in proptest::collection::vec(ugly(), 1..6)) {
        prop_assume!(can_carry_words(ContainerKey::Entrypoint, &words).is_ok());
        let lines = right_sides(ContainerKey::Entrypoint, &words);
        let arguments = started(&[quadlet_text(&lines[0])]).unwrap();
        let read: Vec<String> = serde_json::from_str(&arguments[0]).unwrap();
        prop_assert_eq!(read, words);
    }

    #[test]
    fn any_health_command_arrives(text in ugly()) {
        prop_assume!(can_carry(ContainerKey::HealthCmd, &text).is_ok());
        let lines = right_sides(ContainerKey::HealthCmd, std::slice::from_ref(&text));
        let arguments = started(&[quadlet_text(&lines[0])]).unwrap();
        let read: Vec<String> = serde_json::from_str(&arguments[0]).unwrap();
        prop_assert_eq!(read, vec!["CMD-SHELL".to_owned(), text]);
    }

    #[test]
    fn a_text_arrives_or_is_refused(text in ugly_line()) {
        prop_assume!(can_carry(ContainerKey::HostName, &text).is_ok());
        let lines = right_sides(ContainerKey::HostName, std::slice::from_ref(&text));
        prop_assert_eq!(started(&[quadlet_text(&lines[0])]), Some(vec![text]));
    }

    #[test]
    fn a_text_of_a_list_arrives_or_is_refused(text in ugly_line()) {
        prop_assume!(can_carry(ContainerKey::Tmpfs, &text).is_ok());
        let lines = right_sides(ContainerKey::Tmpfs, std::slice::from_ref(&text));
        prop_assert_eq!(started(&[quadlet_value(&lines[0])]), Some(vec![text]));
    }

    #[test]
    fn strings_arrive_or_are_refused(words in proptest::collection::vec(ugly_line(), 1..4)) {
        prop_assume!(can_carry_words(ContainerKey::AddDevice, &words).is_ok());
        let lines = right_sides(ContainerKey::AddDevice, &words);
        prop_assert_eq!(started(&quadlet_words(&lines[0], Escapes::Kept)), Some(words));
    }

    #[test]
    fn any_command_of_systemd_arrives(words in proptest::collection::vec(ugly(), 1..6)) {
        prop_assume!(can_carry_words(ServiceKey::ExecStart, &words).is_ok());
        let lines = right_sides(ServiceKey::ExecStart, &words);
        let line = quadlet_value(&lines[0]);
        prop_assert_eq!(systemd_command(&line, &[]), Some(words));
    }

    #[test]
    fn words_of_systemd_arrive_or_are_refused(value in ugly_line()) {
        let assignment = assign("NAME", value);
        prop_assume!(can_carry(ServiceKey::Environment, &assignment).is_ok());
        let lines = right_sides(ServiceKey::Environment, std::slice::from_ref(&assignment));
        prop_assert_eq!(systemd_words(&quadlet_value(&lines[0])), Some(vec![assignment]));
    }

    #[test]
    fn strings_of_systemd_arrive_or_are_refused(words in proptest::collection::vec(ugly_line(), 1..4)) {
        prop_assume!(can_carry_words(UnitKey::After, &words).is_ok());
        let lines = right_sides(UnitKey::After, &words);
        prop_assert_eq!(systemd_strings(&quadlet_value(&lines[0])), words);
    }

    #[test]
    fn a_text_of_systemd_arrives_or_is_refused(text in ugly_line()) {
        prop_assume!(can_carry(UnitKey::Description, &text).is_ok());
        let lines = right_sides(UnitKey::Description, std::slice::from_ref(&text));
        prop_assert_eq!(systemd_text(&quadlet_value(&lines[0])), text);
    }

    #[test]
    fn a_refused_value_breaks_no_line(words in proptest::collection::vec(ugly(), 1..4)) {
        for encoding in [Encoding::Text, Encoding::EachText, Encoding::Plain, Encoding::SystemdText,
            Encoding::EachStrings, Encoding::EachWords, Encoding::JsonWords] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            for line in encode::lines(encoding, &words, Expansion::Off) {
                prop_assert!(!one_line(&line).contains(char::is_control));
                prop_assert!(!one_line(&line).ends_with('\\'));
            }
        }
    }
}

#[test]
fn a_command_and_an_environment_value_carry_everything_but_nul_and_noncharacters() {
    for c in ('\u{1}'..=char::MAX).filter(|c| !carry::is_noncharacter(*c)) {
        let word = format!("a{c}");
        assert_eq!(can_carry(ContainerKey::Exec, &word), Ok(()), "{c:?}");
        assert_eq!(
            can_carry(ContainerKey::Environment, &assign("A", &word)),
            Ok(()),
            "{c:?}"
        );
    }
}

#[test]
fn right_sides_are_as_plain_as_they_can_be() {
    let cases: &[(&[&str], &str)] = &[
        (&["postgres", "-c", "port=5432"], "postgres -c port=5432"),
        (&["a b"], "\"a b\""),
        (&["it's"], "\"it's\""),
        (&["say \"hi\""], "\"say \\\"hi\\\"\""),
        (&["50%", "$HOME", "c:\\"], "50%% $$HOME \"c:\\\\\""),
        (&["two\nlines"], "\"two\\nlines\""),
        (&["", "x", ";"], "${EMPTY} x ;${EMPTY}"),
        (&["na\u{ef}ve", "\u{202e}"], "na\u{ef}ve \"\\u202e\""),
        (&["\u{1}\u{7f}"], "\"\\x01\\x7f\""),
    ];
    for (words, expected) in cases {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        assert_eq!(right_sides(ContainerKey::Exec, &words), [*expected]);
    }
}

#[test]
fn strings_take_the_quotes_they_lack() {
    let cases = [
        (
            "net.ipv4.ip_local_port_range=1024 65000",
            "\"net.ipv4.ip_local_port_range=1024 65000\"",
        ),
        ("say \"hi\"", "'say \"hi\"'"),
        ("it's \"it\"", "\"it's \"'\"'\"it\"'\"'\"\""),
    ];
    for (word, expected) in cases {
        assert_eq!(
            right_sides(ContainerKey::AddDevice, &[word.to_owned()]),
            [expected]
        );
    }
}

#[test]
fn values_that_a_key_cannot_carry_are_refused() {
    let refused = |result: Result<(), &str>| assert!(result.is_err());
    refused(can_carry(ContainerKey::HostName, "a\nb"));
    refused(can_carry(ContainerKey::HostName, "\"quoted\""));
    refused(can_carry(ContainerKey::HostName, ""));
    refused(can_carry(ContainerKey::Tmpfs, " /tmp"));
    refused(can_carry(ContainerKey::Tmpfs, "/tmp\\"));
    refused(can_carry(ContainerKey::AddHost, "a:1.2.3.4,b:1.2.3.5"));
    refused(can_carry(ContainerKey::AddCapability, "A\nB"));
    refused(can_carry(ContainerKey::Environment, "NAME"));
    refused(can_carry(ContainerKey::Environment, "=value"));
    refused(can_carry(ContainerKey::Environment, "A=\0"));
    refused(can_carry(ContainerKey::Environment, "A=\u{ffff}"));
    refused(can_carry(ContainerKey::Environment, "A=first\r\nsecond"));
    refused(can_carry(
        ContainerKey::Environment,
        &assign("A", "x".repeat(128 * 1024)),
    ));
    refused(can_carry(ContainerKey::Volume, "/a b:/c"));
    refused(can_carry(ContainerKey::Volume, "/a:/b:ro:/c"));
    refused(can_carry_part(ContainerKey::Volume, "/a:/b"));
    refused(can_carry_part(ContainerKey::Secret, "a,b"));
    refused(can_carry_words(ContainerKey::HealthCmd, &["cmd", "x"]));
    refused(can_carry_words::<_, &str>(ContainerKey::Exec, &[]));
    refused(can_carry_written("a\\"));
    refused(can_carry_written("a\nb"));
    refused(can_carry_written("100% sure"));
    refused(can_carry_written("%%%"));
    assert_eq!(can_carry_part(ContainerKey::Volume, "/var/lib/x"), Ok(()));
    assert_eq!(can_carry_written("%t/x \"a b\" %% %%%n"), Ok(()));
}

#[test]
fn a_unit_is_rendered_in_the_order_of_sections() {
    let mut unit = Unit::new();
    unit.push_words(InstallKey::WantedBy, &["multi-user.target"])
        .push(ContainerKey::Image, "registry.example/x:1")
        .push(ContainerKey::Environment, assign("MOTD", "50% of $X"))
        .push(
            ContainerKey::Secret,
            secret_mount("pg", "/run/pg", (999, 998), 0o400),
        )
        .push(ContainerKey::Volume, volume("/a", "/b", &["ro", "z"]))
        .push_words(ContainerKey::Exec, &["run", ""])
        .push(UnitKey::Description, "An example, 100%")
        .push_expanded(
            ServiceKey::ExecReload,
            &["/usr/bin/kill", "-HUP", "${MAINPID}"],
        );
    let expected = "\
# The container of an example. Generated by cops-gen: change the description or its overrides, not this file.

[Unit]
Description=An example, 100%%

[Container]
Image=registry.example/x:1
Environment=\"MOTD=50%% of $$X\"
Secret=pg,type=mount,target=/run/pg,uid=999,gid=998,mode=0400
Volume=/a:/b:ro,z
Exec=run ${EMPTY}

[Service]
ExecReload=/usr/bin/kill -HUP ${MAINPID}
Environment=EMPTY=

[Install]
WantedBy=multi-user.target
";
    assert_eq!(unit.render("The container of an example"), expected);
}

#[test]
fn every_key_of_quadlet_in_the_table_is_known_to_some_podman() {
    fn all_known<K: Key>(keys: &[K]) {
        for key in keys {
            assert!(key.since() < PodmanVersion(7, 0), "{}", key.name());
        }
    }
    all_known(ContainerKey::ALL);
    all_known(PodKey::ALL);
    all_known(NetworkKey::ALL);
    all_known(BuildKey::ALL);
    all_known(QuadletKey::ALL);
    assert_eq!(ContainerKey::ReloadSignal.since(), PodmanVersion(5, 5));
    assert_eq!(PodKey::ShmSize.since(), PodmanVersion(5, 4));
    assert_eq!(known_since(Section::Pod, "Pod"), None);
    assert_eq!(
        known_since(Section::Service, "Anything"),
        Some(PodmanVersion(0, 0))
    );
    assert!(known_keys(Section::Pod, PodmanVersion(5, 4)).contains(&"ShmSize"));
    assert!(!known_keys(Section::Pod, PodmanVersion(5, 4)).contains(&"ExitPolicy"));
}

#[test]
fn a_section_belongs_to_its_files() {
    assert!(Section::Container.belongs_to("container") && Section::Service.belongs_to("container"));
    assert!(!Section::Container.belongs_to("pod") && !Section::Timer.belongs_to("service"));
    for section in Section::ALL {
        assert_eq!(Section::parse(section.heading()), Some(section));
    }
}
