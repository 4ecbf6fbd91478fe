//! Breaks what the plan says, and mends it.

use std::{fs, path::PathBuf, thread, time::Duration};

use crate::{
    clock,
    database::Database,
    ground::{Ground, Place},
    plan::{Fault, Step},
    process::Process,
};

/// What was broken, and when: microseconds of the clock.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) fault: Fault,
    /// The process that was broken, if it was one.
    pub(crate) process: String,
    pub(crate) from: u64,
    /// When it was mended; a process that was started anew may not be ready then.
    pub(crate) until: u64,
}

/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How a node's process is started.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// What comes behind its name, address and seed.
    pub(crate) args: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) seed: u64,
}

/// The nodes, each with a process or between two.
pub(crate) struct Cluster<'a> {
    ground: &'a Ground,
    database: Database<'a>,
    program: Program,
    /// Each with how many processes it has had.
    nodes: Vec<(u64, Option<Process>)>,
}

/// The port of all nodes; each has an address of its own.
const PORT: u16 = 7171;

impl<'a> Cluster<'a> {
    /// Starts all nodes.
    pub(crate) fn start(ground: &'a Ground, database: Database<'a>, program: Program, nodes: usize) -> Self {
        let nodes = (0..nodes).map(|_| (0, None)).collect::<Vec<_>>();
        let mut cluster = Cluster { ground, database, program, nodes };
        for node in 0..cluster.nodes.len() {
            cluster.start_node(node);
        }
        cluster.are_ready();
        cluster
    }

    fn start_node(&mut self, node: usize) {
        let Program { path, args, dir, seed } = &self.program;
        let (lives, process) = &mut self.nodes[node];
        *lives += 1;
        let name = format!("n{}.{lives}", node + 1);
        let place = Place::Node(node);
        let mut command = self.ground.command(place, path);
        let listen = format!("{}:{PORT}", self.ground.address(place));
        let seed = (seed ^ (*lives << 8) ^ node as u64).to_string();
        command.args(["node", "--name", &name, "--listen", &listen, "--seed", &seed]).args(args);
        *process = Some(Process::start(name.clone(), &mut command, &dir.join(format!("{name}.stderr"))));
    }

    fn node(&mut self, node: usize) -> &mut Process {
        self.nodes[node].1.as_mut().unwrap()
    }

    fn indices(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    fn others(&self, node: usize) -> Vec<usize> {
        self.indices().filter(|other| *other != node).collect()
    }

    /// Waits until all nodes have become members.
    pub(crate) fn are_ready(&mut self) {
        for node in self.indices() {
            self.says(node, "ready");
        }
    }

    /// Tells a node a word, and waits until it says that this is done.
    fn obeys(&mut self, node: usize, word: &str) {
        self.node(node).tell(word);
        self.says(node, word);
    }

    fn says(&mut self, node: usize, word: &str) {
        if !self.node(node).says(word, PATIENCE) {
            let name = self.node(node).name.clone();
            let errors = fs::read_to_string(self.program.dir.join(format!("{name}.stderr"))).unwrap_or_default();
            panic!("process {name} did not say `{word}` within {PATIENCE:?}:\n{errors}");
        }
    }

    /// Breaks something and mends it.
    pub(crate) fn suffer(&mut self, Step { fault, lasts, .. }: Step) -> Broken {
        let process = fault.node().map(|node| self.node(node).name.clone()).unwrap_or_default();
        let mut from = clock::micros();
        match fault {
            Fault::Kill { node, .. } => {
                from = self.node(node).kill();
                thread::sleep(lasts);
                self.start_node(node);
            }
            Fault::Restart { node } => {
                self.node(node).signal("TERM");
                assert!(self.node(node).ends(PATIENCE), "process {process} does not end, though it was told to");
                self.start_node(node);
            }
            Fault::Pause { node, .. } => {
                self.node(node).signal("STOP");
                thread::sleep(lasts);
                self.node(node).signal("CONT");
            }
            Fault::Part { node, other } => {
                self.lose(&[(Place::Node(node), Place::Node(other)), (Place::Node(other), Place::Node(node))], lasts);
            }
            Fault::Deafen { node, other } => self.lose(&[(Place::Node(node), Place::Node(other))], lasts),
            Fault::Shun { node } => {
                let others = self.others(node).into_iter().map(Place::Node);
                let both_ways = others.flat_map(|other| [(Place::Node(node), other), (other, Place::Node(node))]);
                self.lose(&both_ways.collect::<Vec<_>>(), lasts);
            }
            Fault::CutOff { node } => self.lose(&[(Place::Node(node), Place::Database)], lasts),
            Fault::Unplug { node } => {
                self.ground.unplug(node);
                thread::sleep(lasts);
                self.ground.plug(node);
            }
            Fault::PauseDatabase => {
                self.database.signal("STOP");
                thread::sleep(lasts);
                self.database.signal("CONT");
            }
            Fault::KillDatabase => {
                self.database.kill();
                self.database.up();
            }
        }
        Broken { fault, process, from, until: clock::micros() }
    }

    fn lose(&self, ways: &[(Place, Place)], lasts: Duration) {
        for (from, to) in ways {
            self.ground.cut(*from, *to);
        }
        thread::sleep(lasts);
        for (from, to) in ways {
            self.ground.mend(*from, *to);
        }
    }

    /// Has all clients end, reads everything on every node, and has all nodes leave.
    pub(crate) fn end(&mut self) {
        self.are_ready();
        for node in self.indices() {
            self.obeys(node, "quiet");
        }
        for node in self.indices() {
            self.obeys(node, if node == 0 { "dump" } else { "read" });
        }
        for node in self.indices() {
            self.node(node).signal("TERM");
        }
        for node in self.indices() {
            self.says(node, "left");
            assert!(self.node(node).ends(PATIENCE), "process {} does not end", self.node(node).name);
        }
    }
}
