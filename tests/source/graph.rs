//! Which file of `src` imports which, and where they import each other in a circle.
//!
//! A name that a module only passes on counts for the file that it comes from, and with `pub use` not
//! as an import of that module. That a module declares a file (`mod name;`) is not an import either.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, closing, words};

/// A module by its names from the crate's root.
type Module = Vec<String>;

/// The names of a path, such as `crate`, `store`, `Store`.
type Path = Vec<String>;

/// Imports between the files of `src`, tests apart.
pub struct Graph {
    paths: BTreeMap<Module, String>,
    passed_on: BTreeMap<Module, BTreeMap<String, Path>>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the imports of these sources. `lib.rs` and `main.rs` are the roof, not rooms.
    pub fn of(sources: &[Source]) -> Self {
        let rooms: Vec<_> = sources.iter().filter(|s| !s.is_test() && !is_roof(&s.path)).collect();
        let module = |s: &Source| s.module().into_iter().map(str::to_owned).collect::<Module>();
        let paths = rooms.iter().map(|s| (module(s), s.path.clone())).collect();
        let mut graph = Self { paths, passed_on: BTreeMap::new(), edges: BTreeMap::new() };
        let codes: Vec<_> = rooms.iter().map(|s| (module(s), outside_tests(s))).collect();
        for (module, code) in &codes {
            // Those that are not public, too: files below may take the name from here.
            let names = uses(code).into_iter();
            let names = names.filter_map(|(_, path)| Some((path.last()?.clone(), path)));
            graph.passed_on.insert(module.clone(), names.collect());
        }
        for (module, code) in &codes {
            let body = without_uses(code);
            let is_named = |path: &Path| {
                let name = path.last().map_or("", String::as_str);
                words(&body, name).any(|at| !is_declared(&body, at))
            };
            let used =
                uses(code).into_iter().filter(|(is_public, path)| !is_public || is_named(path));
            let named = used.map(|(_, path)| path).chain(paths_in(&body));
            let targets = named.filter_map(|path| graph.resolve(module, &path, 5));
            let targets = targets.filter(|target| target != module);
            let targets = targets.filter_map(|target| graph.paths.get(&target).cloned()).collect();
            graph.edges.insert(graph.paths[module].clone(), targets);
        }
        graph
    }

    /// Groups of files each of which can be reached from each other, as lines `file -> file`.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<_, _> =
            self.edges.keys().map(|file| (file, self.reach(file))).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for (file, reach) in &reached {
            let circle: BTreeSet<_> =
                reach.iter().filter(|other| reached[other].contains(*file)).collect();
            if circle.is_empty() || !seen.insert(circle.clone()) {
                continue;
            }
            let arrows = circle.iter().flat_map(|from| {
                let to = self.edges[*from].iter().filter(|to| circle.contains(to));
                to.map(move |to| format!("{from} -> {to}"))
            });
            circles.push(arrows.collect());
        }
        circles
    }

    fn reach(&self, from: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(file) = next.pop() {
            for to in &self.edges[file] {
                if reached.insert(to.clone()) {
                    next.push(to);
                }
            }
        }
        reached
    }

    /// The module in which the thing that a path names is defined; nothing for what is not ours.
    fn resolve(&self, from: &Module, path: &Path, depth: usize) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from.clone(), &path[..]),
            first => {
                let child = [from.as_slice(), &[first.to_owned()]].concat();
                (self.paths.contains_key(&child).then(|| from.clone())?, &path[..])
            }
        };
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = &rest[1..];
        }
        while let Some(name) = rest.first() {
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            if !self.paths.contains_key(&child) {
                break;
            }
            at = child;
            rest = &rest[1..];
        }
        let origin = rest.first().and_then(|name| self.passed_on.get(&at)?.get(name));
        match origin {
            Some(origin) if depth > 0 && at != *from => {
                let onwards = [origin.as_slice(), &rest[1..]].concat();
                self.resolve(&at, &onwards, depth - 1).or(Some(at))
            }
            _ => Some(at),
        }
    }
}

fn is_roof(path: &str) -> bool {
    matches!(path, "src/lib.rs" | "src/main.rs")
}

/// The code of a source apart from its tests, and from paths that only say who may see something.
fn outside_tests(source: &Source) -> String {
    let lines = source.lines().map(|(_, line)| line.replace("pub(in ", "pub(in_"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All paths of `use` statements, and whether the statement is public.
fn uses(code: &str) -> Vec<(bool, Path)> {
    let mut found = Vec::new();
    for (start, tree) in statements(code) {
        let before = code[..start].trim_end();
        let is_public = before.ends_with("pub") || before.ends_with(')') && before.contains("pub(");
        expand(tree, &Path::new(), &mut |path| found.push((is_public, path)));
    }
    found
}

/// Whether the name at this place is that of a module or function which is declared there, or the last
/// part of a longer path, which counts by itself.
fn is_declared(body: &str, at: usize) -> bool {
    ["mod ", "fn ", "::", "."].iter().any(|before| body[..at].ends_with(before))
}

/// Where each `use` begins, and what stands between it and its semicolon.
fn statements(code: &str) -> impl Iterator<Item = (usize, &str)> {
    words(code, "use").filter_map(|start| {
        let rest = &code[start + 3..];
        // Not `impl Trait + use<'a>`.
        let tree = rest.starts_with(char::is_whitespace).then(|| rest.split(';').next())??;
        Some((start, tree))
    })
}

/// Calls `found` with each path of a tree such as `a::{b, c::{self, D as E}}`.
fn expand(tree: &str, before: &Path, found: &mut impl FnMut(Path)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default();
        let names = name.split("::").map(str::trim).filter(|name| !name.is_empty());
        let path: Path = before.iter().cloned().chain(names.map(str::to_owned)).collect();
        let is_self = path.len() > 1 && path.last().is_some_and(|name| name == "self");
        found(if is_self { path[..path.len() - 1].to_vec() } else { path });
        return;
    };
    let names = tree[..open].split("::").map(str::trim).filter(|name| !name.is_empty());
    let before: Path = before.iter().cloned().chain(names.map(str::to_owned)).collect();
    let (mut depth, mut begun) = (0, open + 1);
    let end = closing(tree, open);
    for (at, c) in tree.char_indices().skip_while(|(at, _)| *at <= open) {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                if !tree[begun..at].trim().is_empty() {
                    expand(&tree[begun..at], &before, found);
                }
                begun = at + 1;
            }
            _ => {}
        }
        if at >= end {
            break;
        }
    }
}

fn without_uses(code: &str) -> String {
    let mut body = code.to_owned();
    for (at, tree) in statements(code) {
        let statement = at..at + 3 + tree.len();
        let blank = " ".repeat(statement.len());
        body.replace_range(statement, &blank);
    }
    body
}

/// All paths of more than one name.
fn paths_in(body: &str) -> Vec<Path> {
    let found = body.split(|c| !is_part(c) && c != ':');
    let paths = found.map(|word| word.split("::").map(str::to_owned).collect::<Path>());
    paths.filter(|path| path.len() > 1 && path.iter().all(|name| !name.is_empty())).collect()
}

#[test]
fn trees_are_expanded() {
    let mut found = Vec::new();
    expand(" crate::a::{self, b::{C as D, E}, f}", &Path::new(), &mut |path| {
        found.push(path.join("::"));
    });
    assert_eq!(found, ["crate::a", "crate::a::b::C", "crate::a::b::E", "crate::a::f"]);
}
