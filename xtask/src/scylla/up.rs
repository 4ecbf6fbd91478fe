//! `cargo xtask scylla-up`: finds what runs, starts what does not, and waits until it answers.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddrV4, TcpListener},
    thread,
    time::{Duration, Instant},
};

use super::{
    cassandra::{self, Program},
    cql::{self, Found},
    docker,
    engine::{self, Engine},
    error::Error,
    java, maven,
    options::{DownOptions, Name, UpOptions},
    place::Place,
    process::Identity,
    progress::Progress,
    server,
    settings::{self, Recorded, Settings},
    state::{Handle, State},
};
use crate::{cargo, workspace::Workspace};

/// How long the nodes may take to answer, all of them together.
const START_SECONDS_MAX: u64 = 300;
/// How often they are looked at.
const LOOK_MILLISECONDS: u64 = 100;

/// An instance that has been brought up.
#[derive(Debug)]
pub(crate) struct Brought {
    /// Where its first node answers.
    pub(crate) contact: SocketAddrV4,
    name: Name,
    /// Whether a node of it ran before.
    ran: bool,
    /// Whether it had data before.
    had_data: bool,
}

impl Brought {
    /// What leaves the machine as it was before; `None` if that is to leave it alone. Where something went wrong, data
    /// and logs stay to be looked at.
    pub(crate) fn undo(self, all_went_well: bool) -> Option<DownOptions> {
        let wipe = all_went_well && !self.had_data;
        (!self.ran).then_some(DownOptions { name: self.name, wipe, kill: false })
    }
}

/// An instance while it is brought up.
struct Up<'a> {
    place: &'a Place,
    name: &'a Name,
    state: State,
    progress: Progress,
    /// The nodes that this command started, which it stops if it fails.
    own: Vec<u8>,
}

/// Brings the instance up.
pub(crate) fn run(workspace: &Workspace, options: &UpOptions) -> Result<Brought, Error> {
    let place = Place::new(&workspace.target);
    let name = &options.name;
    let lock = place.lock(name.as_str())?;
    let recorded = State::read(&place.instance(name))?;
    let runs = recorded.as_ref().is_some_and(|state| state.started.iter().any(|started| started.handle.runs()));

    let engine_recorded = recorded.as_ref().map(|state| state.settings.engine);
    let (engine, why) = match (runs, engine_recorded) {
        (true, Some(running)) => (options.engine.named().unwrap_or(running), "it runs already".to_owned()),
        _ => engine::choose(options.engine, engine_recorded, docker::probe)?,
    };
    let before = recorded.as_ref().map(|state| Recorded { settings: &state.settings, runs });
    let settings = settings::settle(options, engine, before, &place.instance(name))?;
    println!("{} ({why})", described(&settings));

    let is_new = recorded.is_none();
    let state = recorded.map_or_else(
        || State { settings: settings.clone(), started: Vec::new() },
        |state| State { settings: settings.clone(), ..state },
    );
    let mut up = Up { place: &place, name, state, progress: Progress::new(), own: Vec::new() };
    let result = up.bring_up(is_new);
    let elapsed = up.progress.elapsed();
    let Up { state, own, progress, .. } = up;
    drop(progress);
    if let Err(error) = result {
        let handles = own.iter().filter_map(|index| state.handle(*index)).collect::<Vec<_>>();
        server::stop(&handles, false)?;
        return Err(error);
    }
    drop(lock);

    report(&place, name, &state, own.len(), elapsed);
    if !options.no_schema {
        schema(workspace, &settings, &options.keyspace)?;
    }
    Ok(Brought { contact: settings.cql(0), name: name.clone(), ran: runs, had_data: !is_new })
}

impl Up<'_> {
    fn bring_up(&mut self, is_new: bool) -> Result<(), Error> {
        let all = (0..self.state.settings.nodes).collect::<Vec<_>>();
        loop {
            let missing = all.iter().copied().filter(|index| !self.runs(*index)).collect::<Vec<_>>();
            if !missing.is_empty() {
                self.start_all(&missing, is_new)?;
            }
            if self.wait(&all)? && self.wait_for_each_other(&all)? {
                return Ok(());
            }
        }
    }

    fn start_all(&mut self, missing: &[u8], is_new: bool) -> Result<(), Error> {
        self.check_room(missing, is_new)?;
        let program = self.program()?;
        let settings = &self.state.settings;
        let has_data =
            |index: u8| fs::read_dir(settings.data_of(index)).is_ok_and(|mut entries| entries.next().is_some());
        for group in groups(missing, has_data) {
            for index in &group {
                self.start(program.as_ref(), *index)?;
            }
            self.wait(&group)?;
        }
        Ok(())
    }

    fn runs(&self, index: u8) -> bool {
        self.state.handle(index).is_some_and(Handle::runs)
    }

    /// Sees that nothing is in the way: ports of another program, files that are not ours.
    fn check_room(&self, missing: &[u8], is_new: bool) -> Result<(), Error> {
        let settings = &self.state.settings;
        for index in missing {
            let address = settings.cql(*index);
            let mut ports = vec![address];
            if settings.engine == Engine::Cassandra {
                ports.push(settings.internode(*index));
            }
            for port in ports {
                match TcpListener::bind(port) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        let by = match cql::look(port) {
                            Found::Cql => "a CQL server that this command has not started under this name",
                            Found::Other | Found::Nobody => "another program",
                        };
                        return Err(Error::Taken { address: port, by });
                    }
                    Err(source) => return Err(Error::Listen { address: port, source }),
                }
            }
            let data = settings.data_of(*index);
            if is_new && fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(Error::Foreign { path: data, name: self.name.to_string() });
            }
        }
        Ok(())
    }

    /// What the nodes are started from; fetched, where it is not there.
    fn program(&self) -> Result<Option<Program>, Error> {
        match self.state.settings.engine {
            Engine::Scylla => {
                self.progress.step("looking for the image");
                docker::fetch()?;
                Ok(None)
            }
            Engine::Cassandra => {
                if Identity::of(std::process::id()).is_none() {
                    return Err(Error::NoProc);
                }
                cassandra_of(self.place, &self.progress).map(Some)
            }
        }
    }

    /// Starts one node and records it.
    fn start(&mut self, program: Option<&Program>, index: u8) -> Result<(), Error> {
        let settings = &self.state.settings;
        if let Some(Handle::Container { id }) = self.state.handle(index) {
            docker::remove(id);
        }
        let folder = self.place.node(self.name, index);
        // The record comes before the data that it speaks of.
        self.state.write(&self.place.instance(self.name))?;
        let handle = match program {
            Some(program) => {
                let log = self.place.log(self.name, index);
                cassandra::start(program, settings, self.name, index, &folder, &log)?
            }
            None => docker::start(settings, self.name, index)?,
        };
        self.state.set(index, handle);
        self.own.push(index);
        self.state.write(&self.place.instance(self.name))
    }

    /// Waits until these nodes answer CQL. Answers whether they do: one that ran before may have ended meanwhile.
    fn wait(&self, nodes: &[u8]) -> Result<bool, Error> {
        self.wait_until(nodes, "CQL answers on", |waiting| {
            waiting.retain(|index| cql::look(self.state.settings.cql(*index)) != Found::Cql);
        })
    }

    /// Waits until each node reaches all others and knows the same tables, so that the first statement that needs a
    /// majority finds one.
    fn wait_for_each_other(&self, nodes: &[u8]) -> Result<bool, Error> {
        let settings = &self.state.settings;
        // ScyllaDB answers CQL only when its node has joined the others.
        if nodes.len() == 1 || settings.engine == Engine::Scylla {
            return Ok(true);
        }
        let schema = |index: u8| cql::schema_of(settings.cql(index));
        self.wait_until(nodes, "the nodes see each other:", |waiting| {
            let of_first = schema(0);
            let agrees = |index: u8| of_first.is_some() && schema(index) == of_first;
            waiting.retain(|index| !agrees(*index) || !cql::reaches_all(settings.cql(*index)));
        })
    }

    /// Looks again and again until no node is waited for any more. Answers `false` if one has ended that another call
    /// had started, so that it can be started again.
    fn wait_until(&self, nodes: &[u8], what: &str, look: impl Fn(&mut Vec<u8>)) -> Result<bool, Error> {
        let (start, waited) = (Instant::now(), Duration::from_secs(START_SECONDS_MAX));
        let address = |index: u8| self.state.settings.cql(index);
        let log = |index: u8| self.place.log(self.name, index);
        let mut waiting = nodes.to_vec();
        loop {
            look(&mut waiting);
            let Some(next) = waiting.first().copied() else { return Ok(true) };
            let names = waiting.iter().map(|index| address(*index).to_string()).collect::<Vec<_>>();
            self.progress.step(&format!("waiting until {what} {}", names.join(", ")));
            if let Some(dead) = nodes.iter().copied().find(|index| !self.runs(*index)) {
                if self.own.contains(&dead) {
                    return Err(server::died(address(dead), self.state.handle(dead), &log(dead)));
                }
                return Ok(false);
            }
            if start.elapsed() > waited {
                return Err(Error::Silent { address: address(next), waited, log: log(next) });
            }
            thread::sleep(Duration::from_millis(LOOK_MILLISECONDS));
        }
    }
}

/// Fetches Apache Cassandra, where it is not there yet, for who is about to start it where nothing can be fetched.
pub(crate) fn fetch(workspace: &Workspace) -> Result<(), Error> {
    cassandra_of(&Place::new(&workspace.target), &Progress::new()).map(|_| ())
}

fn cassandra_of(place: &Place, progress: &Progress) -> Result<Program, Error> {
    let java = java::find()?;
    progress.step(&format!("Java: {}", java.display()));
    let jars = place.jars(cassandra::VERSION);
    if !maven::is_fetched(&jars) {
        let _lock = place.lock("jars")?;
        if !maven::is_fetched(&jars) {
            progress.step("fetching it with Maven, once");
            maven::fetch(&jars, &java)?;
        }
    }
    Ok(Program { java, jars })
}

/// The nodes that are started at once, one group after another. A new node asks the first one who is there, so that one
/// must answer; nodes that know each other wait for each other.
fn groups(missing: &[u8], has_data: impl Fn(u8) -> bool) -> Vec<Vec<u8>> {
    if missing.iter().all(|index| has_data(*index)) {
        return vec![missing.to_vec()];
    }
    let (first, others): (Vec<u8>, Vec<u8>) = missing.iter().partition(|index| **index == 0);
    [first, others].into_iter().filter(|group| !group.is_empty()).collect()
}

fn described(settings: &Settings) -> String {
    let nodes = if settings.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", settings.nodes) };
    let synced = if settings.durable { "each write synced" } else { "commit log synced now and then" };
    format!("{} {}, {nodes} of {} MiB, {synced}", settings.engine, settings.version, settings.memory_mib)
}

fn report(place: &Place, name: &Name, state: &State, started: usize, elapsed: Duration) {
    let settings = &state.settings;
    match started {
        0 => println!("`{name}` runs already:"),
        _ => println!("`{name}` is ready after {:.1} s:", elapsed.as_secs_f64()),
    }
    for index in 0..settings.nodes {
        let handle = state.handle(index).map_or_else(String::new, Handle::shown);
        println!("  {:<22}{handle}", settings.cql(index).to_string());
    }
    match settings.engine {
        Engine::Scylla => println!("  data  in volumes of Docker; logs: `docker logs`"),
        Engine::Cassandra => println!(
            "  data  {}\n  logs  {}",
            settings.data_dir.display(),
            place.instance(name).join("node*").join("server.log").display()
        ),
    }
    println!("  stop  cargo xtask scylla-down{}", name.option());
}

/// Creates keyspace and tables, which is the business of the crate that uses them.
fn schema(workspace: &Workspace, settings: &Settings, keyspace: &Name) -> Result<(), Error> {
    let contact = settings.cql(0).to_string();
    let args = ["run", "-p", "dna-storage", "--features", "scylla", "--example", "create_schema", "--"];
    let mut command = cargo::cargo(&workspace.root, args);
    command.args([&contact, keyspace.as_str()]);
    let shown = cargo::shown(&command);
    eprintln!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::Schema { keyspace: keyspace.to_string(), command: shown }),
        Err(source) => Err(Error::Start { command: shown, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_is_stopped_and_what_ran_goes_on() {
        for (ran, had_data, well, expected) in [
            (false, false, true, Some(true)),
            (false, false, false, Some(false)),
            (false, true, true, Some(false)),
            (true, true, true, None),
        ] {
            let contact = SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9042);
            let brought = Brought { contact, name: Name::default(), ran, had_data };
            assert_eq!(brought.undo(well).map(|down| down.wipe), expected, "{ran} {had_data} {well}");
        }
    }

    #[test]
    fn a_new_node_is_started_when_the_first_one_answers() {
        let table = [
            (vec![0], vec![], vec![vec![0]]),
            (vec![0, 1, 2], vec![], vec![vec![0], vec![1, 2]]),
            (vec![0, 1, 2], vec![0, 1, 2], vec![vec![0, 1, 2]]),
            (vec![0, 1, 2], vec![0], vec![vec![0], vec![1, 2]]),
            (vec![1, 2], vec![1], vec![vec![1, 2]]),
            (vec![2], vec![2], vec![vec![2]]),
        ];
        for (missing, with_data, expected) in table {
            assert_eq!(groups(&missing, |index| with_data.contains(&index)), expected, "{missing:?}, {with_data:?}");
        }
    }
}
