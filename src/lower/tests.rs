//! What a whole host looks like.

use super::*;
use crate::bundle::OnChange;
use crate::plan::{Override, PodmanVersion};
use sample::text_of;

const UNITS: &str = "rootfs/etc/containers/systemd";

#[test]
fn a_host_has_these_files_and_no_others() {
    let bundle = lower(&sample::host());
    let web =
        "rootfs/etc/containerops/nebula/networks/internal/endpoint/web.example.internal/config.yml";
    let own = "rootfs/etc/containerops/nebula/networks/internal/endpoint/host-internal.example.internal/config.yml";
    let files: Vec<&str> = bundle.files.keys().map(String::as_str).collect();
    assert_eq!(
        files,
        [
            "activate",
            "rootfs/etc/containerops/bin/load-secrets",
            "rootfs/etc/containerops/bin/pod-egress",
            "rootfs/etc/containerops/bin/restart-loops",
            "rootfs/etc/containerops/host/underlay.nft",
            own,
            web,
            "rootfs/etc/containerops/secrets.json",
            "rootfs/etc/containerops/web/egress.nft",
            "rootfs/etc/containerops/web/main/etc/web/a.conf",
            "rootfs/etc/containers/systemd/host-internal.container",
            "rootfs/etc/containers/systemd/underlay.network",
            "rootfs/etc/containers/systemd/web-main.container",
            "rootfs/etc/containers/systemd/web-nebula.container",
            "rootfs/etc/containers/systemd/web.pod",
            "rootfs/etc/systemd/system/containerops-pods.target",
            "rootfs/etc/systemd/system/containerops-secrets.service",
            "rootfs/etc/systemd/system/containerops-underlay.service",
            "rootfs/etc/systemd/system/libpod-.scope.d/10-containerops.conf",
            "rootfs/etc/tmpfiles.d/containerops.conf",
        ]
    );
    for (path, file) in &bundle.files {
        let is_script = path.contains("/bin/") || path == "activate";
        assert_eq!(file.mode, if is_script { 0o755 } else { 0o644 }, "{path}");
    }
}

#[test]
fn the_unit_table_says_what_a_change_means() {
    let bundle = lower(&sample::host());
    let units: Vec<&str> = bundle.units.keys().map(String::as_str).collect();
    assert_eq!(
        units,
        [
            "containerops-pods.target",
            "containerops-secrets.service",
            "containerops-underlay.service",
            "host-internal.service",
            "underlay-network.service",
            "web-main.service",
            "web-nebula.service",
            "web-pod.service",
        ]
    );
    let main = &bundle.units["web-main.service"];
    assert_eq!(main.restart, [format!("{UNITS}/web-main.container")].into());
    assert_eq!(
        main.reload,
        ["rootfs/etc/containerops/web/main/etc/web/a.conf".to_owned()].into()
    );
    assert_eq!(
        main.after,
        ["web-nebula.service", "web-pod.service"]
            .map(str::to_owned)
            .into()
    );
    assert_eq!(main.on_change, OnChange::Restart);
    let pod = &bundle.units["web-pod.service"];
    assert!(
        pod.reload
            .contains("rootfs/etc/containerops/web/egress.nft")
    );
    let named: Vec<&String> = bundle
        .units
        .values()
        .flat_map(|unit| unit.restart.iter().chain(&unit.reload))
        .collect();
    for path in named {
        assert!(
            bundle.files.contains_key(path),
            "{path} is in the table and not in the bundle"
        );
    }
    for unit in bundle.units.values() {
        assert!(
            unit.after
                .iter()
                .all(|other| bundle.units.contains_key(other)),
            "{unit:?}"
        );
    }
}

#[test]
fn what_takes_a_member_down_is_the_operators() {
    let mut plan = sample::host();
    plan.pods.insert(0, sample::etcd_pod());
    let bundle = lower(&plan);
    let rows = [
        ("etcd-main-main.service", OnChange::Operator),
        ("etcd-main-pod.service", OnChange::Operator),
        ("underlay-network.service", OnChange::Operator),
        // A second without the overlay; the member keeps running.
        ("etcd-main-nebula.service", OnChange::Restart),
        ("web-pod.service", OnChange::Restart),
        ("containerops-secrets.service", OnChange::Restart),
    ];
    for (unit, on_change) in rows {
        assert_eq!(bundle.units[unit].on_change, on_change, "{unit}");
    }
    let rules = text_of(&bundle, "rootfs/etc/containerops/host/underlay.nft");
    assert!(
        rules.contains("        elements = { 12505, 12507 }\n"),
        "{rules}"
    );
    assert!(
        !rules.contains("{ 12500"),
        "the host's own endpoint has no pod: {rules}"
    );
    assert!(
        rules.contains("ip daddr 10.2.57.1 iifname != { \"lo\", \"nebula12500\" } counter drop"),
        "nobody gets round Nebula to the host's own endpoint: {rules}"
    );
}

#[test]
fn a_host_without_pods_renders_too() {
    let mut plan = sample::host();
    plan.pods.clear();
    plan.secrets.clear();
    let bundle = lower(&plan);
    assert_eq!(
        text_of(&bundle, "rootfs/etc/containerops/secrets.json"),
        "{\n  \"secrets\": []\n}\n"
    );
    assert!(!text_of(&bundle, "rootfs/etc/containerops/host/underlay.nft").contains("elements"));
    assert_eq!(
        bundle.units["underlay-network.service"].on_change,
        OnChange::Restart
    );
}

#[test]
fn without_a_reload_signal_changed_config_restarts() {
    let mut container = sample::container();
    container.reload_signal = None;
    let mut plan = sample::host();
    plan.pods = vec![sample::user_pod(vec![container])];
    let bundle = lower(&plan);
    let main = &bundle.units["web-main.service"];
    assert!(main.reload.is_empty());
    assert!(
        main.restart
            .contains("rootfs/etc/containerops/web/main/etc/web/a.conf")
    );
}

#[test]
fn reload_is_written_in_the_way_that_podman_knows() {
    let mut plan = sample::host();
    let old = lower(&plan);
    let text = text_of(&old, &format!("{UNITS}/web-nebula.container"));
    assert!(
        text.contains("ExecReload=/usr/bin/env podman kill --signal HUP web-nebula\n"),
        "{text}"
    );
    assert!(!text.contains("ReloadSignal"), "{text}");
    plan.podman_version = PodmanVersion { major: 5, minor: 5 };
    let text = text_of(&lower(&plan), &format!("{UNITS}/web-nebula.container"));
    assert!(
        text.contains("ReloadSignal=HUP\n") && !text.contains("ExecReload"),
        "{text}"
    );
}

#[test]
fn an_override_is_a_drop_in_that_restarts_its_unit() {
    let wanted = Override {
        unit_file: "web-main.container".into(),
        sections: vec![(
            "Container".into(),
            vec![("PodmanArgs".into(), vec!["--memory=4g".into()])],
        )],
    };
    let mut plan = sample::host();
    plan.overrides = vec![&wanted];
    let bundle = lower(&plan);
    let path = format!("{UNITS}/web-main.container.d/50-override.conf");
    assert!(text_of(&bundle, &path).ends_with("\n[Container]\nPodmanArgs=--memory=4g\n"));
    assert!(bundle.units["web-main.service"].restart.contains(&path));
}

#[test]
fn a_pods_port_is_bound_where_the_host_has_its_own_address() {
    let mut plan = sample::host();
    let text = text_of(&lower(&plan), &format!("{UNITS}/web.pod"));
    assert!(
        text.contains("PublishPort=12507:12507/udp\nPublishPort=0.0.0.0:8080:80/tcp\n"),
        "{text}"
    );
    assert!(text.contains("IP=172.30.200.7\n"), "{text}");
    assert!(
        text.contains("ExecStartPost=/etc/containerops/bin/pod-egress web\n"),
        "{text}"
    );
    plan.underlay_address = Some([10, 0, 0, 5].into());
    let text = text_of(&lower(&plan), &format!("{UNITS}/web.pod"));
    assert!(
        text.contains("PublishPort=10.0.0.5:12507:12507/udp\n"),
        "{text}"
    );
}

#[test]
fn a_users_container_gets_its_database_and_its_environment_as_written() {
    let text = text_of(
        &lower(&sample::host()),
        &format!("{UNITS}/web-main.container"),
    );
    assert!(text.contains("Environment=PGHOST=10.2.57.8\n"), "{text}");
    assert!(
        text.contains(r#"Environment="MOTD=a \"b\" $$c %%d\n'e'\\""#),
        "{text}"
    );
    assert!(
        text.contains("Secret=pg-app,type=env,target=PGPASSWORD\n"),
        "{text}"
    );
    assert!(
        text.contains("Volume=/var/containerops/data/pods/web/files:/srv:z\n"),
        "{text}"
    );
    assert!(
        text.contains("Volume=/usr/share/zoneinfo:/zoneinfo:ro\n"),
        "{text}"
    );
    assert!(
        text.contains("Volume=/etc/containerops/web/main/etc/web:/etc/web:ro,Z\n"),
        "{text}"
    );
    assert!(
        !text.contains("Requires=") && text.contains("Restart=always\n"),
        "{text}"
    );
}

#[test]
fn data_directories_have_parents_and_owners() {
    let text = text_of(
        &lower(&sample::host()),
        "rootfs/etc/tmpfiles.d/containerops.conf",
    );
    let at = |line: &str| {
        text.find(line)
            .unwrap_or_else(|| panic!("no {line} in {text}"))
    };
    assert!(
        at("\nd /var/containerops 0755 0 0 -\n") < at("\nd /var/containerops/data 0755 0 0 -\n")
    );
    assert!(
        at("\nd /var/containerops/data/pods/web 0755 0 0 -\n")
            < at("\nd /var/containerops/data/pods/web/files 0750 33 33 -\n")
    );
}

#[test]
fn no_unit_names_a_program_that_a_host_may_lack() {
    let bundle = lower(&sample::host());
    for (path, file) in bundle
        .files
        .iter()
        .filter(|(path, _)| path.contains("/systemd/"))
    {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        for line in text.lines().filter(|line| line.starts_with("Exec")) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let program = value.trim_start_matches('-').split(' ').next().unwrap();
            let known = ["/bin/sh", "/usr/bin/env"].contains(&program)
                || program.starts_with("/etc/containerops/bin/");
            assert!(known || key == "Exec", "{path}: {line}");
        }
    }
}
