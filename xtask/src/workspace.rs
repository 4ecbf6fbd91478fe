//! The workspace as cargo sees it: its root and its crates, with what the checks and steps need of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};

use crate::error::Error;

/// The workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// A member of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its directory, relative to the root, with `/` between the parts.
    pub(crate) dir: String,
    pub(crate) kind: Kind,
    pub(crate) examples: Vec<String>,
    /// Its integration tests, a program each.
    pub(crate) tests: Vec<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a crate builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Library,
    ProcMacro,
    Program,
}

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    /// The version requirement, as cargo normalises it.
    pub(crate) requirement: String,
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// Reads the workspace around the current directory.
    pub(crate) fn read() -> Result<Self, Error> {
        Ok(Workspace::from_metadata(MetadataCommand::new().no_deps().exec()?))
    }

    fn from_metadata(metadata: Metadata) -> Self {
        let root = PathBuf::from(&metadata.workspace_root);
        let crates = metadata.packages.iter().map(|package| Crate::from_package(package, &metadata)).collect();
        Workspace { root, target: PathBuf::from(&metadata.target_directory), crates }
    }
}

impl Crate {
    fn from_package(package: &Package, metadata: &Metadata) -> Self {
        let has = |kind: TargetKind| package.targets.iter().any(|target| target.kind.contains(&kind));
        let kind = match (has(TargetKind::ProcMacro), has(TargetKind::Lib)) {
            (true, _) => Kind::ProcMacro,
            (false, true) => Kind::Library,
            (false, false) => Kind::Program,
        };
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root).unwrap_or(&package.manifest_path);
        let dir = manifest.parent().map(|dir| dir.as_str().replace('\\', "/")).unwrap_or_default();
        let named = |kind: TargetKind| {
            let targets = package.targets.iter().filter(move |target| target.kind.contains(&kind));
            targets.map(|target| target.name.clone()).collect()
        };
        Crate {
            name: package.name.to_string(),
            dir,
            kind,
            examples: named(TargetKind::Example),
            tests: named(TargetKind::Test),
            features: package.features.clone(),
            dependencies: package
                .dependencies
                .iter()
                .map(|dependency| Dependency {
                    name: dependency.name.clone(),
                    dev: dependency.kind == DependencyKind::Development,
                    requirement: dependency.req.to_string(),
                    features: dependency.features.clone(),
                })
                .collect(),
        }
    }

    /// Whether other crates can use it.
    pub(crate) fn is_library(&self) -> bool {
        self.kind != Kind::Program
    }

    /// The features that these turn on, themselves included.
    pub(crate) fn closure<'a>(&'a self, features: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut on = BTreeSet::new();
        let mut open = features.into_iter().collect::<Vec<_>>();
        while let Some(feature) = open.pop() {
            if on.insert(feature) {
                let more = self.features.get(feature).into_iter().flatten();
                open.extend(more.map(String::as_str).filter(|more| self.features.contains_key(*more)));
            }
        }
        on
    }

    /// The features that its own tests turn on by a dev-dependency on itself.
    pub(crate) fn test_features(&self) -> impl Iterator<Item = &str> {
        let own = self.dependencies.iter().filter(|dependency| dependency.dev && dependency.name == self.name);
        own.flat_map(|dependency| dependency.features.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_brings_the_features_it_names() {
        let features = [("default", vec!["embedded"]), ("embedded", vec!["dep:fjall"]), ("tls", vec![])];
        let features = features.map(|(name, on)| (name.to_owned(), on.into_iter().map(str::to_owned).collect()));
        let krate = Crate { features: features.into(), ..Crate::default() };
        assert_eq!(krate.closure(["default"]), BTreeSet::from(["default", "embedded"]));
        assert_eq!(krate.closure(["tls"]), BTreeSet::from(["tls"]));
        assert_eq!(krate.closure([]), BTreeSet::new());
    }

    #[test]
    fn this_workspace_can_be_read() {
        let workspace = Workspace::read().unwrap();
        let xtask = workspace.crates.iter().find(|krate| krate.name == "xtask").unwrap();
        assert_eq!((xtask.dir.as_str(), xtask.kind), ("xtask", Kind::Program));
    }
}
