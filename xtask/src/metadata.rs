//! The crates of the workspace and what they depend on, as `cargo metadata` tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::BoxError;

/// What `cargo metadata --format-version 1` prints, as far as the checks need it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
}

/// One package, of the workspace or from outside.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    /// The oldest Rust that it compiles with.
    pub(crate) rust_version: Option<String>,
    manifest_path: PathBuf,
    /// The registries that it may be published to; `None` for every one.
    publish: Option<Vec<String>>,
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// The name of its library in Rust code.
    pub(crate) fn crate_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether others can depend on it.
    pub(crate) fn is_published_library(&self) -> bool {
        let has_library = self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"));
        has_library && self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }
}

/// A dependency as the manifest declares it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) optional: bool,
}

/// A library, program, test or the like of a package.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Debug, Clone, Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Clone, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, with every feature and for every platform.
    pub(crate) fn read() -> Result<Self, BoxError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output =
            Command::new(cargo).args(["metadata", "--locked", "--all-features", "--format-version", "1"]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// All packages that `package` is compiled with: its normal dependencies, and theirs, without itself.
    ///
    /// Features are those of the whole workspace, so this may have a package that `package` alone would not bring. It
    /// never leaves one out.
    pub(crate) fn packages_reached_from(&self, package: &Package) -> Vec<&Package> {
        let packages: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut reached = BTreeSet::new();
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            let normal = nodes
                .get(id)
                .into_iter()
                .flat_map(|node| &node.deps)
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            for dependency in normal {
                if reached.insert(dependency.pkg.as_str()) {
                    open.push(&dependency.pkg);
                }
            }
        }
        reached.into_iter().filter_map(|id| packages.get(id).copied()).collect()
    }

    /// The names of [`packages_reached_from`](Self::packages_reached_from).
    pub(crate) fn reached_from(&self, package: &Package) -> BTreeSet<&str> {
        self.packages_reached_from(package).into_iter().map(|package| package.name.as_str()).collect()
    }
}

#[cfg(test)]
impl Metadata {
    /// Gives the member `package` a normal dependency on `name`, as if its manifest said so.
    pub(crate) fn add_dependency(&mut self, package: &str, name: &str) {
        let id = |wanted: &str| {
            let found = self.packages.iter().find(|package| package.name == wanted);
            found.unwrap_or_else(|| panic!("no package {wanted}")).id.clone()
        };
        let (from, to) = (id(package), id(name));
        let node = self.resolve.nodes.iter_mut().find(|node| node.id == from).expect("every package has a node");
        node.deps.push(NodeDependency { pkg: to, dep_kinds: vec![DependencyKind { kind: None }] });
        let declared = Dependency { name: name.to_owned(), kind: None, optional: false };
        let package = self.packages.iter_mut().find(|package| package.id == from).expect("it was found before");
        package.dependencies.push(declared);
    }

    /// Makes the package `name` need this Rust.
    pub(crate) fn set_rust_version(&mut self, name: &str, version: &str) {
        for package in self.packages.iter_mut().filter(|package| package.name == name) {
            package.rust_version = Some(version.to_owned());
        }
    }

    /// Adds a member without dependencies.
    pub(crate) fn add_member(&mut self, name: &str) {
        let (id, name) = (format!("path+file:///{name}"), name.to_owned());
        self.workspace_members.insert(id.clone());
        self.resolve.nodes.push(Node { id: id.clone(), deps: Vec::new() });
        let (dependencies, features, targets) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (rust_version, manifest_path, publish) = (None, PathBuf::from("Cargo.toml"), None);
        self.packages.push(Package { id, name, dependencies, features, targets, rust_version, manifest_path, publish });
    }
}
