//! `cargo xtask scylla-status`: what was started, whether it runs, and whether it answers.

use super::{
    cql::{self, Found},
    engine::Engine,
    error::Error,
    options::{Name, StatusOptions},
    place::Place,
    state::{Handle, State},
};
use crate::workspace::Workspace;

/// Shows the instances. Answers whether there is one and all nodes of all of them answer.
pub(crate) fn run(workspace: &Workspace, options: &StatusOptions) -> Result<bool, Error> {
    let place = Place::new(&workspace.target);
    let names = match &options.name {
        Some(name) => vec![name.clone()],
        None => place.names()?,
    };
    let (mut shown, mut all_answer) = (0, true);
    for name in &names {
        if let Some(state) = State::read(&place.instance(name))? {
            shown += 1;
            all_answer &= show(&place, name, &state);
        }
    }
    if shown == 0 {
        println!("nothing was started; `cargo xtask scylla-up` starts a server");
    }
    Ok(shown > 0 && all_answer)
}

fn show(place: &Place, name: &Name, state: &State) -> bool {
    let settings = &state.settings;
    println!(
        "{name}: {} {}{}",
        settings.engine,
        settings.version,
        if settings.durable { ", each write synced" } else { "" }
    );
    let mut all_answer = true;
    for index in 0..settings.nodes {
        let address = settings.cql(index);
        let handle = state.handle(index);
        let found = cql::look(address);
        let runs = handle.is_some_and(Handle::runs);
        let answers = runs && found == Found::Cql;
        all_answer &= answers;
        let process = handle.map_or_else(|| "-".to_owned(), Handle::shown);
        println!("  {:<22}{process:<24}{}", address.to_string(), said(handle.is_some(), runs, found));
    }
    if settings.engine == Engine::Cassandra {
        println!("  data  {}\n  logs  {}", settings.data_dir.display(), place.instance(name).display());
    } else {
        println!("  data  in volumes of Docker");
    }
    all_answer
}

fn said(started: bool, runs: bool, found: Found) -> &'static str {
    match (started, runs, found) {
        (_, true, Found::Cql) => "answers CQL",
        (_, true, _) => "runs, does not answer CQL yet",
        (_, false, Found::Cql) => "is stopped; another program's CQL server answers here",
        (_, false, Found::Other) => "is stopped; another program listens here",
        (true, false, Found::Nobody) => "has ended",
        (false, false, Found::Nobody) => "is stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_said_to_answer_only_if_it_is_the_one_that_was_started() {
        let table = [
            (true, true, Found::Cql, "answers CQL"),
            (true, true, Found::Nobody, "runs, does not answer CQL yet"),
            (true, true, Found::Other, "runs, does not answer CQL yet"),
            (true, false, Found::Nobody, "has ended"),
            (false, false, Found::Nobody, "is stopped"),
            (true, false, Found::Cql, "is stopped; another program's CQL server answers here"),
            (false, false, Found::Other, "is stopped; another program listens here"),
        ];
        for (started, runs, found, expected) in table {
            assert_eq!(said(started, runs, found), expected, "{started} {runs} {found:?}");
        }
    }
}
