//! The arrow test: crates depend only downwards. Owns the list of the allowed edges; a new edge is a change here.

use super::Problem;
use crate::workspace::{Crate, Dependency};

/// A layer of the workspace.
struct Layer {
    name: &'static str,
    /// How high it stands. Tests may use any crate that stands lower.
    height: u8,
    /// What it may depend on.
    may_use: &'static [&'static str],
}

/// The layers, from the top.
const LAYERS: &[Layer] = &[
    Layer {
        name: "dna",
        height: 4,
        may_use: &["dna-macros", "dna-cluster", "dna-transport", "dna-storage", "dna-core"],
    },
    Layer { name: "dna-macros", height: 3, may_use: &[] },
    Layer { name: "dna-cluster", height: 3, may_use: &["dna-transport", "dna-core"] },
    Layer { name: "dna-transport", height: 2, may_use: &[] },
    Layer { name: "dna-storage", height: 2, may_use: &["dna-core"] },
    Layer { name: "dna-core", height: 1, may_use: &[] },
];

/// Programs: they may use every crate, and no crate may use them.
const PROGRAMS: &[&str] = &["benches", "chaos", "cluster-example", "xtask"];

/// What a crate must not pull in, since its layer promises not to do such things: the features of a dependency, or the
/// dependency itself where none is named.
const FORBIDDEN: &[(&str, &str, &[&str])] = &[
    ("dna-core", "tokio", &["net", "fs", "process", "full"]),
    ("dna-core", "fjall", &[]),
    ("dna-core", "scylla", &[]),
    ("dna-macros", "tokio", &[]),
    ("dna-transport", "scylla", &[]),
    ("dna-storage", "tokio", &["net", "full"]),
];

const REMEDY: &str = "turn the dependency round, or add the edge in xtask/src/tidy/graph.rs with its reason";

/// Each dependency that the layers do not allow.
pub(super) fn check(crates: &[Crate]) -> Vec<Problem> {
    crates.iter().flat_map(|krate| check_crate(krate, crates)).collect()
}

fn check_crate(krate: &Crate, crates: &[Crate]) -> Vec<Problem> {
    let place = format!("{}/Cargo.toml", krate.dir);
    let is_program = PROGRAMS.contains(&krate.name.as_str());
    if layer(&krate.name).is_none() && !is_program {
        let what = format!("the crate `{}` has no place in the layers", krate.name);
        return vec![Problem::new(place, what, "give it one in xtask/src/tidy/graph.rs")];
    }

    let is_member = |name: &str| crates.iter().any(|krate| krate.name == name);
    let edges = krate.dependencies.iter().filter(|dependency| is_member(&dependency.name));
    let mut problems = Vec::new();
    for edge in edges {
        if let Some(rule) = broken_rule(&krate.name, edge) {
            let kind = if edge.dev { " (in its tests)" } else { "" };
            let what = format!("`{}` depends on `{}`{kind}, but {rule}", krate.name, edge.name);
            problems.push(Problem::new(place.clone(), what, REMEDY));
        }
        if edge.name == "dna-macros" && !edge.dev && !edge.requirement.starts_with('=') {
            let what = format!("`{}` asks for `dna-macros` {}", krate.name, edge.requirement);
            let remedy = "pin it with `=`: what the macro expands to belongs to one version";
            problems.push(Problem::new(place.clone(), what, remedy));
        }
    }
    for dependency in krate.dependencies.iter().filter(|dependency| !dependency.dev) {
        if let Some(what) = forbidden(&krate.name, dependency) {
            problems.push(Problem::new(place.clone(), what, "such work belongs to another layer"));
        }
    }
    problems
}

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// The rule that an edge inside the workspace breaks.
fn broken_rule(from: &str, edge: &Dependency) -> Option<String> {
    let to = edge.name.as_str();
    if PROGRAMS.contains(&to) {
        return Some(format!("`{to}` is a program: nothing depends on it"));
    }
    if from == to {
        return if edge.dev { None } else { Some("no crate depends on itself".to_owned()) };
    }
    let from = layer(from)?;
    if from.may_use.contains(&to) {
        return None;
    }
    if edge.dev {
        let is_lower = layer(to).is_some_and(|to| to.height < from.height);
        return (!is_lower).then(|| "tests, too, use only what stands lower".to_owned());
    }
    Some(match from.may_use {
        [] => format!("`{}` may use no crate of the workspace", from.name),
        names => format!("`{}` may use only {}", from.name, names.join(", ")),
    })
}

fn forbidden(krate: &str, dependency: &Dependency) -> Option<String> {
    let (_, name, features) =
        FORBIDDEN.iter().find(|(from, name, _)| *from == krate && *name == dependency.name.as_str())?;
    if features.is_empty() {
        return Some(format!("`{krate}` depends on `{name}`, which its layer rules out"));
    }
    let feature = dependency.features.iter().find(|feature| features.contains(&feature.as_str()))?;
    Some(format!("`{krate}` turns on `{name}/{feature}`, which its layer rules out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, dependencies: &[Dependency]) -> Crate {
        Crate { name: name.to_owned(), dir: name.to_owned(), dependencies: dependencies.to_vec(), ..Crate::default() }
    }

    fn on(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), dev: false, requirement: "=0.1.0".to_owned(), features: Vec::new() }
    }

    fn in_tests(name: &str) -> Dependency {
        Dependency { dev: true, ..on(name) }
    }

    /// The problems of one crate that stands among all others.
    fn problems(name: &str, dependency: Dependency) -> Vec<String> {
        let names = LAYERS.iter().map(|layer| layer.name).chain(PROGRAMS.iter().copied());
        let mut crates = names.filter(|other| *other != name).map(|other| krate(other, &[])).collect::<Vec<_>>();
        crates.push(krate(name, &[dependency]));
        check(&crates).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn the_edges_of_the_design_are_allowed() {
        for (from, to) in [
            ("dna", on("dna-macros")),
            ("dna", on("dna-core")),
            ("dna", on("dna-storage")),
            ("dna-storage", on("dna-core")),
            ("dna-cluster", on("dna-core")),
            ("dna-cluster", on("dna-transport")),
            ("dna-cluster", in_tests("dna-storage")),
            ("dna-core", in_tests("dna-core")),
            ("benches", on("dna-storage")),
            ("dna-core", on("tokio")),
        ] {
            let found = problems(from, to.clone());
            assert!(found.is_empty(), "{from} -> {}: {found:?}", to.name);
        }
    }

    #[test]
    fn each_other_edge_is_named_with_the_rule() {
        for (from, to, rule) in [
            ("dna-core", on("dna-storage"), "`dna-core` may use no crate"),
            ("dna-storage", on("dna-transport"), "`dna-storage` may use only dna-core"),
            ("dna-storage", on("dna-macros"), "`dna-storage` may use only dna-core"),
            ("dna-macros", on("dna-core"), "`dna-macros` may use no crate"),
            ("dna-transport", on("dna-core"), "`dna-transport` may use no crate"),
            ("dna-cluster", on("dna-storage"), "may use only dna-transport, dna-core"),
            ("dna-core", in_tests("dna-storage"), "only what stands lower"),
            ("dna-storage", in_tests("dna-transport"), "only what stands lower"),
            ("dna", on("xtask"), "`xtask` is a program"),
            ("dna", in_tests("benches"), "`benches` is a program"),
            ("xtask", on("benches"), "`benches` is a program"),
            ("dna-core", on("dna-core"), "no crate depends on itself"),
        ] {
            let found = problems(from, to.clone());
            assert_eq!(found.len(), 1, "{from} -> {}: {found:?}", to.name);
            assert!(found[0].contains(&format!("`{from}` depends on `{}`", to.name)), "{found:?}");
            assert!(found[0].contains(rule), "{found:?}");
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_a_problem() {
        let found = check(&[krate("dna-extra", &[])]);
        assert!(found[0].to_string().contains("`dna-extra` has no place"));
    }

    #[test]
    fn the_macro_is_pinned() {
        let loose = Dependency { requirement: "^0.1.0".to_owned(), ..on("dna-macros") };
        assert!(problems("dna", loose)[0].contains("pin it with `=`"));
    }

    #[test]
    fn sockets_and_disks_stay_out_of_the_core() {
        let tokio = |feature: &str| Dependency { features: vec![feature.to_owned()], ..on("tokio") };
        assert!(problems("dna-core", tokio("net"))[0].contains("`tokio/net`"));
        assert!(problems("dna-core", on("fjall"))[0].contains("`fjall`"));
        assert!(problems("dna-core", tokio("time")).is_empty());
        assert!(problems("dna-core", Dependency { dev: true, ..tokio("net") }).is_empty());
    }

    #[test]
    fn no_two_crates_can_use_each_other() {
        for layer in LAYERS {
            for used in layer.may_use {
                let used = LAYERS.iter().find(|other| other.name == *used).unwrap();
                assert!(used.height < layer.height, "{} -> {}", layer.name, used.name);
            }
        }
    }
}
