//! A proxy of a Patroni cluster: the primary on 5432, replicas on 5433, any member on 5434, metrics on 7000.
//!
//! <https://docs.haproxy.org/3.2/configuration.html>; nothing here is newer than HAProxy 3.0. A worker that was replaced by
//! a reload checks no server any more: sessions it keeps end with the primary's PostgreSQL, by keepalive, or by `tcp-ut`.

use serde::Serialize;

use crate::format::template::{Line, Template, render};
use crate::plan::{HostPlan, Placed, PodPlan, ProxyPlan, Size};
use crate::platform::{images, paths, services, users};

use super::part::{ConfigChange, ConfigDirectory, ContainerPart, Image, Part, Reload, text};

const CONFIG: &str = "/usr/local/etc/haproxy";
/// Sessions of each of the three listeners, more than PostgreSQL serves.
const MAXCONN: u32 = 2000;
const STATS_MAXCONN: u32 = 100;

/// Lowers one proxy.
pub(super) fn lower(_host: &HostPlan, pod: &PodPlan, plan: &ProxyPlan) -> Part {
    let path = paths::config(&pod.name, services::MAIN);
    let mut container = ContainerPart::new(
        services::MAIN,
        Image::pulled(plan.image.unwrap_or(images::HAPROXY)),
    );
    // Past the official image's entrypoint, which is a shell script, to what it would run.
    container.entrypoint = vec!["haproxy".to_owned()];
    container.command = ["-W", "-db", "-f"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("{CONFIG}/haproxy.cfg")])
        .collect();
    container.user = Some((users::HAPROXY, users::HAPROXY));
    container.config = vec![ConfigDirectory {
        path: path.clone(),
        mount: CONFIG.to_owned(),
        on_change: ConfigChange::Reload,
    }];
    container.drops_capabilities = true;
    container.is_read_only = true;
    // The image's own, USR1, would wait for every session.
    container.stop_signal = Some("TERM");
    container.reload = Some(Reload::Signal("USR2".to_owned()));
    Part {
        containers: vec![container],
        files: vec![(format!("{path}/haproxy.cfg"), text(config(plan)))],
        ..Part::default()
    }
}

/// The fields of `haproxy.tera`.
#[derive(Serialize)]
struct Config {
    cluster: Line,
    drain_timeout: u32,
    global_maxconn: u32,
    maxconn: u32,
    stats_maxconn: u32,
    /// The query of the checks that ask for a replica.
    replica_query: Line,
    servers: Vec<Server>,
}

/// One `server` line, in each of the three listeners.
#[derive(Serialize)]
struct Server {
    name: Line,
    address: Line,
    is_backup: bool,
}

fn config(plan: &ProxyPlan) -> String {
    let ProxyPlan {
        cluster,
        servers,
        replica_max_lag,
        drain_timeout,
        image: _,
    } = plan;
    let config = Config {
        cluster: Line::of(cluster),
        drain_timeout: *drain_timeout,
        global_maxconn: 3 * MAXCONN + 2 * STATS_MAXCONN,
        maxconn: MAXCONN,
        stats_maxconn: STATS_MAXCONN,
        replica_query: Line::of(replica_query(*replica_max_lag)),
        servers: servers.iter().map(server).collect(),
    };
    render(Template::Haproxy, &config)
}

/// Patroni 4.0 compares what a replica has replayed with the position that the primary last wrote to etcd, and does not look whether it streams: one
/// that has stopped streaming is found when the primary has written so much more. While there is no primary the position stands still, so that replicas
/// go on serving. A primary answers `/read-only` whatever the limit is.
fn replica_query(max_lag: Option<Size>) -> String {
    max_lag.map_or_else(String::new, |size| format!("?lag={size}"))
}

fn server((placed, is_backup): &(Placed, bool)) -> Server {
    let Placed { host, address } = placed;
    Server {
        name: Line::of(host),
        address: Line::of(address),
        is_backup: *is_backup,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn plan() -> ProxyPlan<'static> {
        let placed = |host, last| Placed {
            host,
            address: Ipv4Addr::new(10, 2, 57, last),
        };
        ProxyPlan {
            cluster: "app",
            servers: vec![(placed("db1", 21), false), (placed("db3", 23), true)],
            replica_max_lag: None,
            drain_timeout: 43200,
            image: None,
        }
    }

    fn listener<'a>(config: &'a str, name: &str) -> &'a str {
        let (_, rest) = config.split_once(&format!("\nlisten {name}\n")).unwrap();
        rest.split("\n\n").next().unwrap()
    }

    #[test]
    fn only_the_primarys_sessions_end_when_it_is_down() {
        let config = config(&plan());
        assert_eq!(config.matches("shutdown-sessions").count(), 1);
        assert!(listener(&config, "primary").contains("on-marked-down shutdown-sessions"));
    }

    #[test]
    fn a_session_that_may_be_shut_down_never_waits_for_a_retry() {
        let config = config(&plan());
        assert!(listener(&config, "primary").contains("\n    retries 0\n"));
        for name in ["replicas", "read-only"] {
            let listener = listener(&config, name);
            assert!(!listener.contains("retries"), "{listener}");
            assert!(listener.contains("option redispatch"), "{listener}");
        }
        let (_, defaults) = config.split_once("\ndefaults\n").unwrap();
        assert!(
            defaults
                .split("\n\n")
                .next()
                .unwrap()
                .contains("\n    retries 2\n")
        );
    }

    #[test]
    fn a_backup_replica_is_one_on_both_reading_listeners() {
        let config = config(&plan());
        let backup = "    server db3 10.2.57.23:5432 tcp-ut 8s backup";
        assert!(!listener(&config, "primary").contains(backup));
        for name in ["replicas", "read-only"] {
            let listener = listener(&config, name);
            assert!(listener.contains(backup), "{listener}");
            assert!(
                listener.contains("    server db1 10.2.57.21:5432 tcp-ut 8s\n"),
                "{listener}"
            );
            assert!(listener.contains("option allbackups"), "{listener}");
        }
    }

    #[test]
    fn a_limit_of_lag_is_asked_of_replicas_and_never_of_the_primary() {
        let mut plan = plan();
        assert!(!config(&plan).contains("lag"), "{}", config(&plan));
        plan.replica_max_lag = Some(Size::mebibytes(16));
        let config = config(&plan);
        for (name, uri) in [
            ("primary", "uri /primary\n"),
            ("replicas", "uri /replica?lag=16MB\n"),
            ("read-only", "uri /read-only?lag=16MB\n"),
        ] {
            let listener = listener(&config, name);
            assert!(listener.contains(uri), "{listener}");
        }
    }

    #[test]
    fn every_server_has_its_own_tcp_user_timeout() {
        let config = config(&plan());
        let servers: Vec<&str> = config
            .lines()
            .filter(|line| line.contains("    server "))
            .collect();
        assert_eq!(servers.len(), 6);
        assert!(
            servers.iter().all(|line| line.contains(" tcp-ut 8s")),
            "{config}"
        );
    }

    #[test]
    fn all_listeners_together_fit_the_process() {
        let config = config(&plan());
        assert!(config.contains("\n    maxconn 6200\n"), "{config}");
        assert!(
            config.contains("\n    hard-stop-after 43200s\n"),
            "{config}"
        );
    }
}
