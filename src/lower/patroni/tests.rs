use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;
use crate::plan::{Placed, Synchronous, Timing};

fn placed(host: &'static str, last: u8) -> Placed<'static> {
    Placed {
        host,
        address: Ipv4Addr::new(10, 2, 57, last),
    }
}

pub(super) fn plan() -> PatroniPlan<'static> {
    let members = vec![placed("db1", 21), placed("db2", 22)];
    PatroniPlan {
        cluster: "app",
        member: members[0],
        is_read_replica: false,
        members,
        etcd: vec![placed("db1", 11), placed("db2", 12), placed("db3", 13)],
        proxies: vec![placed("db1", 31), placed("db3", 33)],
        barman_proxies: vec![placed("db3", 33)],
        archive_timeout: Some(60),
        timing: Timing::FIRST,
        watchdog: Watchdog::Container,
        synchronous: Synchronous::On,
        data_checksums: true,
        parameters: &[],
        pg_hba: &[],
        postgres_version: 17,
        bootstrap: Bootstrap::Empty,
        superuser_secret: "app-superuser".to_owned(),
        replication_secret: "app-replication".to_owned(),
        rewind_secret: "app-rewind".to_owned(),
        passwords_secret: "app-passwords".to_owned(),
        has_barman_roles: true,
        roles: vec!["app"],
        databases: vec![("app", "app")],
        image: None,
    }
}

fn yaml(plan: &PatroniPlan) -> Value {
    serde_saphyr::from_str(&config::patroni_yml(plan)).unwrap()
}

#[test]
fn the_slot_is_there_exactly_when_barman_reads() {
    let mut plan = plan();
    assert_eq!(
        dynamic::configuration(&plan)["slots"],
        json!({ "barman": { "type": "physical" } })
    );
    plan.barman_proxies.clear();
    assert_eq!(dynamic::configuration(&plan)["slots"], json!({}));
}

#[test]
fn a_parameter_lands_where_patroni_reads_it_and_keeps_its_type() {
    let parameters = [
        ("jit".to_owned(), json!(false)),
        ("max_connections".to_owned(), json!(200)),
        ("max_slot_wal_keep_size".to_owned(), json!("64GB")),
        ("search_path".to_owned(), json!("on")),
        ("wal_level".to_owned(), json!("logical")),
    ];
    let mut plan = plan();
    plan.parameters = &parameters;
    let dynamic = &dynamic::configuration(&plan)["postgresql"]["parameters"];
    assert_eq!(dynamic["max_connections"], json!(200));
    assert_eq!(dynamic["wal_level"], json!("logical"));
    assert_eq!(dynamic.get("jit"), None);
    let yaml = yaml(&plan);
    let local = &yaml["postgresql"]["parameters"];
    assert_eq!(local["jit"], json!(false));
    assert_eq!(local["search_path"], json!("on"));
    assert_eq!(local["max_slot_wal_keep_size"], json!("64GB"));
    assert_eq!(local["archive_timeout"], json!(60));
    assert_eq!(local["wal_sender_timeout"], json!("10s"));
    assert_eq!(local.get("max_connections"), None);
    assert_eq!(
        yaml["bootstrap"]["dcs"],
        dynamic::configuration(&plan),
        "a new cluster starts with what a running one gets"
    );
}

#[test]
fn a_member_keeps_the_wal_that_a_rewind_reads() {
    for (of_user, expected) in [
        (vec![], json!("1GB")),
        (vec![("max_wal_size", json!("4GB"))], json!("4GB")),
        (vec![("max_wal_size", json!(2048))], json!(2048)),
        (
            vec![
                ("max_wal_size", json!("4GB")),
                ("wal_keep_size", json!("16GB")),
            ],
            json!("16GB"),
        ),
    ] {
        let parameters: Vec<_> = of_user
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut plan = plan();
        plan.parameters = &parameters;
        let dynamic = &dynamic::configuration(&plan)["postgresql"]["parameters"];
        assert_eq!(dynamic["wal_keep_size"], expected);
    }
}

#[test]
fn synchronous_mode_is_one_of_three() {
    let mut plan = plan();
    for (synchronous, expected, lag) in [
        (Synchronous::Off, json!(false), 1_u64 << 20),
        (Synchronous::On, json!(true), 1 << 40),
        (Synchronous::Quorum, json!("quorum"), 1 << 40),
    ] {
        plan.synchronous = synchronous;
        let dynamic = dynamic::configuration(&plan);
        assert_eq!(dynamic["synchronous_mode"], expected);
        assert_eq!(dynamic["maximum_lag_on_failover"], json!(lag));
    }
}

#[test]
fn only_the_host_that_restores_has_a_bootstrap_section() {
    let mut plan = plan();
    plan.bootstrap = Bootstrap::Wait;
    assert_eq!(yaml(&plan).get("bootstrap"), None);
    plan.bootstrap = Bootstrap::Restore("/var/containerops/data/barman_restored/app");
    let bootstrap = &yaml(&plan)["bootstrap"];
    assert_eq!(bootstrap["method"], json!("restore"));
    assert_eq!(bootstrap.get("initdb"), None);
    assert_eq!(
        volumes("/data", plan.bootstrap)[1],
        VolumePart {
            source: "/var/containerops/data/barman_restored/app".to_owned(),
            mount: "/restored".to_owned(),
            is_read_only: true,
            relabel: Relabel::Shared,
        }
    );
}

#[test]
fn a_read_replica_is_neither_primary_nor_synchronous() {
    let mut plan = plan();
    assert_eq!(yaml(&plan).get("tags"), None);
    plan.is_read_replica = true;
    assert_eq!(
        yaml(&plan)["tags"],
        json!({ "nofailover": true, "nosync": true })
    );
}

#[test]
fn a_role_logs_in_only_from_where_it_lives() {
    let own = ["host all app 192.0.2.0/24 scram-sha-256".to_owned()];
    let mut plan = plan();
    plan.pg_hba = &own;
    assert_eq!(
        hba::lines(&plan),
        [
            "local all postgres peer",
            "local replication replicator scram-sha-256",
            "host all app 192.0.2.0/24 scram-sha-256",
            "host replication replicator 10.2.57.21/32 scram-sha-256",
            "host postgres rewind 10.2.57.21/32 scram-sha-256",
            "host all postgres 10.2.57.21/32 scram-sha-256",
            "host replication replicator 10.2.57.22/32 scram-sha-256",
            "host postgres rewind 10.2.57.22/32 scram-sha-256",
            "host all postgres 10.2.57.22/32 scram-sha-256",
            "host replication streaming_barman 10.2.57.33/32 scram-sha-256",
            "host postgres barman 10.2.57.33/32 scram-sha-256",
            "host postgres barman_canary 10.2.57.33/32 scram-sha-256",
            "host all postgres,replicator,rewind,barman,streaming_barman,barman_canary 10.2.57.31/32 reject",
            "host all all 10.2.57.31/32 scram-sha-256",
            "host all postgres,replicator,rewind,barman,streaming_barman,barman_canary 10.2.57.33/32 reject",
            "host all all 10.2.57.33/32 scram-sha-256",
        ]
    );
}

#[test]
fn the_rest_api_takes_changes_from_members_alone() {
    assert_eq!(
        yaml(&plan())["restapi"]["allowlist"],
        json!(["127.0.0.1/32", "10.2.57.21/32", "10.2.57.22/32"])
    );
}

#[test]
fn checksums_follow_the_description_in_every_major() {
    let mut plan = plan();
    let has = |plan: &PatroniPlan, wanted: &str| {
        let yaml = yaml(plan);
        let initdb = yaml["bootstrap"]["initdb"].as_array().unwrap();
        initdb.contains(&json!(wanted))
    };
    assert!(has(&plan, "data-checksums"));
    plan.data_checksums = false;
    assert!(!has(&plan, "data-checksums") && !has(&plan, "no-data-checksums"));
    plan.postgres_version = 18;
    assert!(has(&plan, "no-data-checksums"));
}

#[test]
fn names_are_quoted_by_the_rules_of_sql() {
    let mut plan = plan();
    plan.roles = vec!["o'brien"];
    plan.databases = vec![("weird\"db", "o'brien")];
    let sql = reconcile::sql(&plan);
    assert!(
        sql.contains("SELECT pg_temp.create_role('o''brien', 'LOGIN');"),
        "{sql}"
    );
    assert!(
        sql.contains("SELECT pg_temp.set_owner('weird\"db', 'o''brien');"),
        "{sql}"
    );
    assert!(
        sql.contains("SELECT pg_temp.set_password('o''brien');"),
        "{sql}"
    );
}

#[test]
fn roles_of_barman_are_made_only_for_a_cluster_that_is_backed_up() {
    let mut plan = plan();
    assert!(reconcile::sql(&plan).contains("'streaming_barman', 'LOGIN REPLICATION'"));
    plan.has_barman_roles = false;
    assert!(!reconcile::sql(&plan).contains("barman"));
}

#[test]
fn a_new_role_changes_nothing_of_the_unit() {
    let mut plan = plan();
    let before = secrets(&plan);
    plan.roles.push("other");
    assert_eq!(secrets(&plan), before);
    let targets: Vec<String> = before
        .into_iter()
        .map(|(name, target)| match target {
            SecretTarget::Env(variable) => format!("{name} in {variable}"),
            SecretTarget::Mount { path, .. } => format!("{name} in {path}"),
        })
        .collect();
    assert_eq!(
        targets,
        [
            "app-superuser in PATRONI_SUPERUSER_PASSWORD",
            "app-replication in PATRONI_REPLICATION_PASSWORD",
            "app-rewind in PATRONI_REWIND_PASSWORD",
            "app-passwords in /run/secrets/passwords"
        ]
    );
}
