//! Collects what the lowering of one host makes: files at their places, and rows of the unit table.

use crate::bundle::{Bundle, File, Member, OnChange, UnitChange};
use crate::format::unit::Unit;

use super::{part, path};
use crate::platform::units;

/// The bundle of one host while it grows. Paths are absolute paths on the host.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The bundle.
    pub(super) bundle: Bundle,
}

impl Output {
    /// Adds a file.
    pub(super) fn place(&mut self, host_path: &str, file: File) {
        self.bundle.files.insert(path::in_bundle(host_path), file);
    }

    /// Adds a unit file and its row: a change of the file restarts the unit.
    pub(super) fn place_unit(&mut self, unit_file: &str, about: &str, unit: &Unit) -> Row<'_> {
        let place = units::path(unit_file);
        self.place(&place, part::text(unit.render(about)));
        self.row(unit_file).restarts_on(&place)
    }

    /// Returns the row of a unit file's unit.
    pub(super) fn row(&mut self, unit_file: &str) -> Row<'_> {
        Row {
            change: self
                .bundle
                .units
                .entry(units::service(unit_file))
                .or_default(),
        }
    }

    /// Lists the files below a directory.
    pub(super) fn files_below(&self, directory: &str) -> Vec<String> {
        let prefix = format!("{}/", path::in_bundle(directory));
        let below = self.bundle.files.range(prefix.clone()..);
        let paths = below
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&prefix));
        paths
            .filter_map(|path| path::on_host(path))
            .map(str::to_owned)
            .collect()
    }
}

/// One row of the unit table while it grows.
#[derive(Debug)]
pub(super) struct Row<'o> {
    change: &'o mut UnitChange,
}

impl Row<'_> {
    /// Adds a file whose change restarts the unit.
    pub(super) fn restarts_on(self, host_path: &str) -> Self {
        self.change.restart.insert(path::in_bundle(host_path));
        self
    }

    /// Adds a file whose change reloads the unit.
    pub(super) fn reloads_on(self, host_path: &str) -> Self {
        self.change.reload.insert(path::in_bundle(host_path));
        self
    }

    /// Adds units of the bundle that are started before.
    pub(super) fn starts_after<U: AsRef<str>>(self, units: &[U]) -> Self {
        self.change
            .after
            .extend(units.iter().map(|unit| unit.as_ref().to_owned()));
        self
    }

    /// Adds Podman secrets whose change restarts the unit.
    pub(super) fn uses_secrets<'s>(self, names: impl Iterator<Item = &'s String>) -> Self {
        self.change.secrets.extend(names.cloned());
        self
    }

    /// Sets whether it takes its own time, and may fail by itself.
    pub(super) fn in_background(self, is_so: bool) -> Self {
        self.change.in_background = is_so;
        self
    }

    /// Sets the cluster that the unit runs a member of.
    pub(super) fn member_of(self, member: Option<Member>) -> Self {
        self.change.member = member;
        self
    }

    /// Sets who restarts the unit.
    pub(super) fn changed_by(self, on_change: OnChange) -> Self {
        self.change.on_change = on_change;
        self
    }
}
