//! Circles among the modules of one crate, found in its source.
//!
//! Two modules beside each other must not use each other, directly or by way of others beside them. A module and the
//! modules inside it are one room and may use each other. Code for tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

use crate::BoxError;
use crate::metadata::Metadata;

/// Every circle of the workspace as one line.
pub(crate) fn found(metadata: &Metadata) -> Result<Vec<String>, BoxError> {
    let mut circles = Vec::new();
    for package in metadata.members() {
        for target in
            package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "lib" || kind == "bin"))
        {
            let mut sources = Sources::default();
            let folder = target.src_path.parent().unwrap_or(Path::new("."));
            sources.read_file(&target.src_path, folder, Vec::new())?;
            circles.extend(sources.circles().into_iter().map(|circle| format!("{}: {circle}", package.name)));
        }
    }
    Ok(circles)
}

/// The path of a module from the root of its crate. The root is empty.
type ModulePath = Vec<String>;

/// The modules of one crate.
#[derive(Default)]
struct Sources {
    modules: BTreeMap<ModulePath, Module>,
}

/// What the source of one module says.
#[derive(Default)]
struct Module {
    /// What the names that `use` brings in stand for, as it is written.
    imports: BTreeMap<String, Vec<String>>,
    /// Every path that is written in it.
    paths: BTreeSet<Vec<String>>,
}

impl Sources {
    fn read_file(&mut self, file: &Path, folder: &Path, path: ModulePath) -> Result<(), BoxError> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let parsed = syn::parse_file(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        self.read_items(&parsed.items, folder, path)
    }

    /// `folder` is where the files of the modules inside this one are.
    fn read_items(&mut self, items: &[Item], folder: &Path, path: ModulePath) -> Result<(), BoxError> {
        let mut module = Module::default();
        for item in items.iter().filter(|item| !is_for_tests(attributes_of(item))) {
            match item {
                Item::Mod(inner) => self.read_module(inner, folder, &path)?,
                item => module.visit_item(item),
            }
        }
        self.modules.insert(path, module);
        Ok(())
    }

    fn read_module(&mut self, inner: &ItemMod, folder: &Path, outer: &[String]) -> Result<(), BoxError> {
        let name = inner.ident.to_string();
        let (inside, path) = (folder.join(&name), [outer, std::slice::from_ref(&name)].concat());
        if let Some((_, items)) = &inner.content {
            return self.read_items(items, &inside, path);
        }
        let files: [PathBuf; 2] = [folder.join(format!("{name}.rs")), inside.join("mod.rs")];
        let file = files
            .iter()
            .find(|file| file.exists())
            .ok_or_else(|| format!("no file for the module {}", path.join("::")))?;
        self.read_file(file, &inside, path)
    }

    /// The module that a path leads to, written in the module `from`; `None` if it leads out of the crate.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<ModulePath> {
        // Two names that stand for each other would go on for ever.
        self.resolve_within(from, path, 32)
    }

    fn resolve_within(&self, from: &[String], path: &[String], depth: u32) -> Option<ModulePath> {
        let depth = depth.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let mut rest = rest;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            _ => {
                rest = path;
                from.to_vec()
            }
        };
        let begins_here = rest.len() == path.len();
        for (index, name) in rest.iter().enumerate() {
            if name == "super" {
                at.pop()?;
                continue;
            }
            let inner = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.modules.contains_key(&inner) {
                at = inner;
                continue;
            }
            let import = self.modules.get(&at).and_then(|module| module.imports.get(name));
            if let Some(import) = import.filter(|import| import.as_slice() != path) {
                let target = [import.as_slice(), &rest[index + 1..]].concat();
                return self.resolve_within(&at, &target, depth);
            }
            // A name that neither a module nor an import explains is an item of this module, or from outside.
            return (index > 0 || !begins_here).then_some(at);
        }
        Some(at)
    }

    fn circles(&self) -> Vec<String> {
        // For each room, which of the modules in it uses which, and where.
        let mut rooms: BTreeMap<&[String], BTreeMap<&str, BTreeMap<String, String>>> = BTreeMap::new();
        for (from, module) in &self.modules {
            for path in &module.paths {
                let Some(to) = self.resolve(from, path) else { continue };
                let shared = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
                if shared == from.len() || shared == to.len() {
                    continue;
                }
                let uses = rooms.entry(&from[..shared]).or_default().entry(&from[shared]).or_default();
                uses.entry(to[shared].clone())
                    .or_insert_with(|| format!("{} uses {}", from.join("::"), path.join("::")));
            }
        }
        rooms.values().flat_map(circles_in).collect()
    }
}

/// One line for each module that can be reached from itself, by the shortest way. A circle is reported once.
fn circles_in(uses: &BTreeMap<&str, BTreeMap<String, String>>) -> Vec<String> {
    let mut reported = BTreeSet::new();
    let mut circles = Vec::new();
    for start in uses.keys() {
        if let Some(way) = shortest_circle(uses, start)
            && reported.insert(way.iter().cloned().collect::<BTreeSet<_>>())
        {
            circles.push(way.join(", "));
        }
    }
    circles
}

/// The uses by which one gets from `start` to itself.
fn shortest_circle(uses: &BTreeMap<&str, BTreeMap<String, String>>, start: &str) -> Option<Vec<String>> {
    let mut ways: Vec<(&str, Vec<String>)> = vec![(start, Vec::new())];
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while next < ways.len() {
        let (at, way) = ways[next].clone();
        next += 1;
        for (to, example) in uses.get(at).into_iter().flatten() {
            let way = [way.as_slice(), std::slice::from_ref(example)].concat();
            if to == start {
                return Some(way);
            }
            if seen.insert(to.as_str()) {
                ways.push((to, way));
            }
        }
    }
    None
}

impl Module {
    fn import(&mut self, prefix: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.import(&[prefix, &[path.ident.to_string()]].concat(), &path.tree),
            UseTree::Name(name) => self.bring_in(prefix, &name.ident.to_string(), &name.ident.to_string()),
            UseTree::Rename(renamed) => self.bring_in(prefix, &renamed.ident.to_string(), &renamed.rename.to_string()),
            UseTree::Glob(_) => drop(self.paths.insert(prefix.to_vec())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(prefix, tree)),
        }
    }

    fn bring_in(&mut self, prefix: &[String], name: &str, known_as: &str) {
        let path = if name == "self" { prefix.to_vec() } else { [prefix, &[name.to_owned()]].concat() };
        let known_as = if known_as == "self" { path.last().cloned().unwrap_or_default() } else { known_as.to_owned() };
        self.paths.insert(path.clone());
        self.imports.insert(known_as, path);
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate whose whole source is `text`.
    fn circles_of(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        sources.read_items(&syn::parse_file(text).unwrap().items, Path::new(""), Vec::new()).unwrap();
        sources.circles()
    }

    #[test]
    fn two_modules_that_use_each_other_are_a_circle() {
        let circles = circles_of("mod a { use crate::b::B; pub struct A; } mod b { pub struct B(crate::a::A); }");
        assert_eq!(circles, ["a uses crate::b::B, b uses crate::a::A"]);
    }

    #[test]
    fn a_circle_of_three_is_found_whatever_the_paths_look_like() {
        let circles = circles_of(
            "mod a { use super::b; fn f() { b::g() } } mod b { pub fn g() { super::c::h() } } \
             mod c { use crate::{a as first}; pub fn h() { first::f() } }",
        );
        assert_eq!(circles.len(), 1, "{circles:#?}");
    }

    #[test]
    fn a_name_that_another_module_hands_on_leads_to_where_it_comes_from() {
        let circles = circles_of(
            "pub use b::B; mod a { pub struct A; fn f(_: crate::B) {} } mod b { pub struct B; use crate::a::A; }",
        );
        assert_eq!(circles, ["a uses crate::B, b uses crate::a::A"]);
    }

    #[test]
    fn modules_inside_a_module_are_compared_with_each_other() {
        let circles = circles_of("mod outer { mod a { use super::b::B; } mod b { use super::a::A; } }");
        assert_eq!(circles, ["outer::a uses super::b::B, outer::b uses super::a::A"]);
    }

    #[test]
    fn a_room_and_what_is_inside_it_tests_and_other_crates_are_no_circle() {
        for source in [
            "mod a { mod inside { use super::A; } use self::inside::I; pub struct A; }",
            "mod a { use crate::b::B; } mod b { #[cfg(test)] mod tests { use crate::a::A; } #[cfg(test)] use crate::a::A; }",
            "mod a { use crate::b::B; } mod b { use std::a::A; fn f() { a::f() } }",
            "mod a { use crate::b::B; } mod b { use crate::c::C; } mod c {}",
        ] {
            assert_eq!(circles_of(source), Vec::<String>::new(), "{source}");
        }
    }
}
