//! Lowers what a host runs to files as bytes. Knows file formats; nothing here can fail.
//!
//! Three floors: services (`etcd`, `patroni`, `haproxy`, `barman`, `postgres`, `user`) say what they add to their pod as a `Part`;
//! `pod`, `host`, `timer`, `once`, `secrets` and `nebula` write units of it; `part`, `unit`, `output` and `path` are what both are written with.

mod barman;
mod etcd;
mod haproxy;
mod host;
mod images;
mod nebula;
mod once;
mod operator;
mod output;
mod overrides;
mod part;
mod path;
mod patroni;
mod pod;
mod postgres;
#[cfg(test)]
mod sample;
mod secrets;
#[cfg(test)]
mod tests;
mod timer;
mod unit;
mod user;

use crate::bundle::Bundle;
use crate::plan::{HostPlan, PodPlan, Service};
use output::Output;
use part::Part;

pub use operator::lower as lower_operator;

/// The script `activate`, its parts in the order in which the shell reads them.
const ACTIVATE: &str = concat!(
    include_str!("../templates/programs/host/activate/options.sh"),
    include_str!("../templates/programs/host/activate/looking.sh"),
    include_str!("../templates/programs/host/activate/planning.sh"),
    include_str!("../templates/programs/host/activate/doing.sh"),
    include_str!("../templates/programs/host/activate/rolling.sh"),
    include_str!("../templates/programs/host/activate/etcd.sh"),
    include_str!("../templates/programs/host/activate/main.sh"),
);

/// Returns all files of a host, and what a change of each means to its units.
pub fn lower(plan: &HostPlan) -> Bundle {
    let HostPlan {
        name,
        arch: _,
        podman_version,
        underlay_subnet: _,
        underlay_address: _,
        endpoints,
        pods,
        secrets: _,
        overrides,
    } = plan;
    let mut output = Output::default();
    (*name).clone_into(&mut output.bundle.host);
    output.bundle.podman_version = podman_version.to_string();
    let parts: Vec<(&PodPlan, Part)> = pods.iter().map(|pod| (pod, part(plan, pod))).collect();
    host::lower(&mut output, plan, &parts);
    timer::lower(&mut output, &parts);
    secrets::lower(&mut output, plan, &parts);
    once::lower(&mut output, &parts);
    for endpoint in endpoints {
        nebula::lower_host_endpoint(&mut output, plan, endpoint);
    }
    for (pod, part) in parts {
        pod::lower(&mut output, plan, (pod, part));
    }
    overrides::lower(&mut output, overrides);
    output
        .bundle
        .files
        .insert("activate".to_owned(), part::script(ACTIVATE));
    output.bundle
}

/// Returns what the pod's service adds to it.
fn part(host: &HostPlan, pod: &PodPlan) -> Part {
    match &pod.service {
        Service::Etcd(plan) => etcd::lower(host, pod, plan),
        Service::Patroni(plan) => patroni::lower(host, pod, plan),
        Service::Proxy(plan) => haproxy::lower(host, pod, plan),
        Service::Barman(plan) => barman::lower(host, pod, plan),
        Service::Postgres(plan) => postgres::lower(host, pod, plan),
        Service::User(plan) => user::lower(host, pod, plan),
    }
}
