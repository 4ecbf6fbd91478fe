//! The steps of `cargo xtask ci`, derived from the crates: a new crate or feature is covered without a change here.

use std::collections::BTreeSet;

use crate::workspace::Crate;

/// What a newcomer runs first, as README shows it.
pub(crate) const QUICKSTART: &str = "cargo run --release --example quickstart";
/// What a newcomer runs second, as README shows it.
pub(crate) const TEST: &str = "cargo xtask test";
/// What runs the seeds of the simulation.
pub(crate) const SIM: &str = "cargo xtask sim --seeds 300";
/// What runs the tests that the one above skips.
pub(crate) const TEST_CQL: &str = "cargo xtask test --cql";

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is chosen by. Steps that belong together share a name.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) what: String,
    pub(crate) action: Action,
}

/// What a step does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Runs cargo, after a look at whether the component is there.
    Cargo { args: Vec<String>, env: Vec<(&'static str, &'static str)>, component: Option<Component> },
    /// Runs cargo and counts the tests.
    Tests { args: Vec<String> },
    /// Runs the tests that need a CQL server, with one, and counts them.
    Cql,
    /// Checks the tree.
    Tidy,
    /// Runs every example.
    Examples,
    /// Checks the dependencies.
    Deny,
    /// Sees that the steps have left nothing in the tree.
    Clean,
}

/// A component of the toolchain that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Rustfmt,
    Clippy,
}

/// All steps: the quick ones first, then so that each finds as much as possible already built.
pub(crate) fn steps(crates: &[Crate]) -> Vec<Step> {
    let libraries = || crates.iter().filter(|krate| krate.is_library());

    let mut steps = vec![
        cargo("fmt", "formatting", "fmt --all --check", Some(Component::Rustfmt)),
        Step { name: "tidy", what: "what the workspace asks of its tree".to_owned(), action: Action::Tidy },
        cargo(
            "clippy",
            "lints, all targets, all features",
            "clippy --workspace --all-targets --all-features -- -D warnings",
            Some(Component::Clippy),
        ),
        Step { name: "tests", what: format!("`{TEST}`"), action: Action::Tests { args: words_of_cargo(TEST) } },
    ];
    steps.push(Step { name: "sim", what: format!("`{SIM}`"), action: Action::Tests { args: words_of_cargo(SIM) } });
    steps.push(Step { name: "cql", what: format!("`{TEST_CQL}`: with a CQL server"), action: Action::Cql });
    steps.push(cargo(
        "chaos",
        "`cargo xtask chaos`: two minutes of faults, checked",
        "xtask chaos --seconds 120",
        None,
    ));
    steps.extend(libraries().filter(|krate| differs_without_features(krate)).map(tests_without_features));
    steps.extend(libraries().flat_map(|krate| feature_sets(krate).into_iter().map(|set| alone(krate, &set))));

    let mut docs = cargo("docs", "the docs, warnings denied", "doc --workspace --no-deps --all-features", None);
    if let Action::Cargo { env, .. } = &mut docs.action {
        env.push(("RUSTDOCFLAGS", "-D warnings"));
    }
    steps.push(docs);
    steps.push(Step {
        name: "quickstart",
        what: format!("`{QUICKSTART}`"),
        action: Action::Cargo { args: words_of_cargo(QUICKSTART), env: Vec::new(), component: None },
    });
    steps.push(Step { name: "examples", what: "every example, run to its end".to_owned(), action: Action::Examples });
    let demo = "run --all-features --example cluster -- demo --pause 1";
    steps.push(cargo("demo", "the example of a cluster: what was acknowledged is there", demo, None));
    steps.push(cargo("bench", "`cargo xtask bench --quick`: it runs and counts right", "xtask bench --quick", None));
    steps.push(cargo("bench", "the same of several nodes", "xtask bench --cluster --quick", None));
    steps.push(package(libraries()));
    steps.push(Step { name: "deny", what: "bans, licences, sources of dependencies".to_owned(), action: Action::Deny });
    steps.push(Step { name: "clean", what: "no step left a file in the tree".to_owned(), action: Action::Clean });
    steps
}

fn cargo(name: &'static str, what: &str, args: &str, component: Option<Component>) -> Step {
    Step { name, what: what.to_owned(), action: Action::Cargo { args: words(args), env: Vec::new(), component } }
}

fn words(args: &str) -> Vec<String> {
    args.split_whitespace().map(str::to_owned).collect()
}

fn words_of_cargo(command: &str) -> Vec<String> {
    words(command.strip_prefix("cargo ").unwrap_or(command))
}

/// The tests of one crate alone, without its features. Those of all crates with all features are `tests`.
fn tests_without_features(krate: &Crate) -> Step {
    Step {
        name: "bare",
        what: format!("tests of {} without its features", krate.name),
        action: Action::Tests { args: words(&format!("test --no-fail-fast -p {} --no-default-features", krate.name)) },
    }
}

/// Whether its tests without features are others than those with all: a feature that only its own tests need is on
/// in both.
fn differs_without_features(krate: &Crate) -> bool {
    krate.closure(krate.test_features()) != krate.closure(all_features(krate))
}

/// One crate alone, so that no other crate lends it a feature of a dependency.
fn alone(krate: &Crate, set: &[&str]) -> Step {
    let mut args = format!("clippy -p {} --lib --no-default-features", krate.name);
    let mut what = format!("{} alone, without features", krate.name);
    if !set.is_empty() {
        args = format!("{args} --features {}", set.join(","));
        what = format!("{} alone, with {}", krate.name, set.join(", "));
    }
    cargo("alone", &what, &format!("{args} -- -D warnings"), Some(Component::Clippy))
}

/// No feature, each feature alone, and all of them; of sets that mean the same, one.
fn feature_sets(krate: &Crate) -> Vec<Vec<&str>> {
    let all = all_features(krate);
    let each = all.iter().copied().filter(|feature| *feature != "default").map(|feature| vec![feature]);
    let meaning = |set: &[&str]| {
        let mut meaning = krate.closure(set.iter().copied());
        meaning.remove("default");
        meaning.into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let mut seen = BTreeSet::new();
    let sets = [Vec::new()].into_iter().chain(each).chain([all.clone()]);
    sets.filter(|set| seen.insert(meaning(set))).collect()
}

fn all_features(krate: &Crate) -> Vec<&str> {
    krate.features.keys().map(String::as_str).collect()
}

/// Packs the crates as they would be published, without building them once more.
fn package<'a>(libraries: impl Iterator<Item = &'a Crate>) -> Step {
    let names = libraries.map(|krate| format!(" -p {}", krate.name)).collect::<String>();
    let args = format!("package --no-verify --allow-dirty --quiet{names}");
    cargo("package", "the crates can be packed for publication", &args, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Kind};

    type Features<'a> = &'a [(&'a str, &'a [&'a str])];

    fn krate(name: &str, features: Features<'_>) -> Crate {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let features = features.iter().map(|(name, on)| ((*name).to_owned(), owned(on))).collect();
        Crate { name: name.to_owned(), features, ..Crate::default() }
    }

    #[test]
    fn each_feature_is_tried_alone_and_none_twice() {
        let table: [(Features<'_>, &[&[&str]]); 4] = [
            (&[], &[&[]]),
            (&[("testing", &[])], &[&[], &["testing"]]),
            (&[("default", &["embedded"]), ("embedded", &["dep:fjall"])], &[&[], &["embedded"]]),
            (
                &[("default", &["embedded"]), ("embedded", &[]), ("tls", &[])],
                &[&[], &["embedded"], &["tls"], &["default", "embedded", "tls"]],
            ),
        ];
        for (features, expected) in table {
            assert_eq!(feature_sets(&krate("dna", features)), expected, "{features:?}");
        }
    }

    #[test]
    fn a_crate_is_tried_without_and_with_each_feature_that_users_choose() {
        let features: Features<'_> = &[
            ("default", &["embedded"]),
            ("embedded", &["dna-storage/embedded"]),
            ("cluster", &["dep:dna-cluster"]),
            ("scylla", &["cluster", "dna-storage/scylla"]),
        ];
        let steps = steps(&[krate("dna", features)]);
        let alone = steps.iter().filter(|step| step.name == "alone").map(|step| step.what.as_str());
        let expected = ["without features", "with cluster", "with embedded", "with scylla"];
        let expected = expected.map(|set| format!("dna alone, {set}")).to_vec();
        assert_eq!(alone.take(4).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tests_run_without_features_where_that_makes_a_difference() {
        let mut core = krate("dna-core", &[("testing", &[])]);
        assert!(differs_without_features(&core));
        core.dependencies.push(Dependency {
            name: "dna-core".to_owned(),
            dev: true,
            requirement: "*".to_owned(),
            features: vec!["testing".to_owned()],
        });
        assert!(!differs_without_features(&core));
        assert!(!differs_without_features(&krate("dna-macros", &[])));
        assert!(differs_without_features(&krate("dna-storage", &[("default", &["embedded"]), ("embedded", &[])])));
    }

    #[test]
    fn the_commands_of_readme_run_as_they_stand_there() {
        let steps = steps(&[krate("dna", &[])]);
        let find = |name| &steps.iter().find(|step| step.name == name).unwrap().action;
        assert_eq!(*find("tests"), Action::Tests { args: words("xtask test") });
        assert_eq!(*find("sim"), Action::Tests { args: words("xtask sim --seeds 300") });
        assert_eq!(*find("cql"), Action::Cql);
        let Action::Cargo { args, .. } = find("quickstart") else { panic!("not a command") };
        assert_eq!(args.join(" "), "run --release --example quickstart");
    }

    #[test]
    fn a_program_is_neither_tried_alone_nor_packed() {
        let program = Crate { kind: Kind::Program, ..krate("xtask", &[("extra", &[])]) };
        for step in steps(&[program, krate("dna", &[])]) {
            let args = match &step.action {
                Action::Cargo { args, .. } | Action::Tests { args } => args.join(" "),
                _ => continue,
            };
            assert!(!args.contains("-p xtask"), "{args}");
        }
    }
}
