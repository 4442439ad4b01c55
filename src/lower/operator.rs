//! Lowers what the operator works with: the certificates that each network needs, the script that issues them, and a runbook for
//! each Patroni cluster.

mod runbook;

use std::collections::BTreeMap;

use super::part::{script, text};
use crate::bundle::Recipe;
use crate::plan::{CertificatePlan, Network, NetworkPlan, Runbook};
use crate::platform::paths;

/// Returns how the operator's files are made, by their path relative to `operator/`.
pub fn lower<'a>(
    networks: &'a [NetworkPlan<'a>],
    runbooks: &'a [Runbook<'a>],
) -> BTreeMap<String, Recipe<'a>> {
    let issue: Recipe<'_> = Box::new(|| {
        script(include_str!(
            "../../templates/programs/operator/issue-certs"
        ))
    });
    let tables = networks.iter().map(|plan| {
        let table: Recipe<'_> = Box::new(|| text(table(plan)));
        (format!("pki/{}.tsv", plan.network.name), table)
    });
    let runbooks = runbooks.iter().map(|it| {
        let runbook: Recipe<'_> = Box::new(|| text(runbook::runbook(&it.plan())));
        (format!("runbook/{}.md", it.cluster()), runbook)
    });
    let issue = [("issue-certs".to_owned(), issue)];
    tables.chain(runbooks).chain(issue).collect()
}

/// Writes the table of a network: `# KEY VALUE` lines, the names of the columns, a line per certificate.
fn table(plan: &NetworkPlan<'_>) -> String {
    let Network {
        name,
        cidr,
        epoch,
        trusted_epochs,
        certificate_version,
        blocklist,
        mtu: _,
        nat_punch: _,
        lighthouses: _,
    } = plan.network;
    let trusted: Vec<String> = trusted_epochs.iter().map(u32::to_string).collect();
    let mut table = format!(
        "# network {name}\n# epoch {epoch}\n# trusted_epochs {}\n# certificate_version {certificate_version}\n",
        trusted.join(" ")
    );
    table.extend(blocklist.iter().map(|print| format!("# blocked {print}\n")));
    table.push_str("hostname\thost\taddress\tgroups\tdirectory\n");
    let prefix = cidr.prefix_len();
    // A large network's table is the largest file: it grows in place.
    table.extend(plan.certificates.iter().map(|certificate| {
        let CertificatePlan {
            hostname,
            host,
            address,
            groups,
        } = certificate;
        let (groups, directory) = (groups.join(","), paths::pki(name, hostname));
        format!("{hostname}\t{host}\t{address}/{prefix}\t{groups}\t{directory}\n")
    }));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_all_that_signing_needs() {
        let network = Network {
            name: "internal".into(),
            cidr: "10.2.0.0/16".parse().unwrap(),
            mtu: 1300,
            nat_punch: false,
            blocklist: vec!["ab".repeat(32)],
            epoch: 2,
            trusted_epochs: vec![1, 2],
            certificate_version: 1,
            lighthouses: Vec::new(),
        };
        let groups = ["admin".to_owned(), "ops".to_owned()];
        let certificate = |hostname, groups| CertificatePlan {
            hostname,
            host: "db1",
            address: [10, 2, 57, 1].into(),
            groups,
        };
        let plan = NetworkPlan {
            network: &network,
            certificates: vec![
                certificate("a.example", &groups),
                certificate("b.example", &[]),
            ],
        };
        let networks = [plan];
        let files = lower(&networks, &[]);
        let paths: Vec<(&str, u32)> = files
            .iter()
            .map(|(path, recipe)| (path.as_str(), recipe().mode))
            .collect();
        assert_eq!(paths, [("issue-certs", 0o755), ("pki/internal.tsv", 0o644)]);
        let directory = "/etc/containerops/nebula/networks/internal/endpoint";
        assert_eq!(
            String::from_utf8_lossy(&files["pki/internal.tsv"]().bytes),
            format!(
                "# network internal\n# epoch 2\n# trusted_epochs 1 2\n# certificate_version 1\n\
                 # blocked {}\nhostname\thost\taddress\tgroups\tdirectory\n\
                 a.example\tdb1\t10.2.57.1/16\tadmin,ops\t{directory}/a.example/pki\n\
                 b.example\tdb1\t10.2.57.1/16\t\t{directory}/b.example/pki\n",
                "ab".repeat(32)
            )
        );
    }
}
