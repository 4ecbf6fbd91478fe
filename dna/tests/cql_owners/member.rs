//! A process that is a node as programs have it: it takes its share of the names, and runs until it is told to end.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use dna::{Location, Node, Scylla, ScyllaConfig};

use crate::{
    child::signal_process,
    database::Keyspace,
    process::{PATIENCE, free_address},
    register::Register,
};

/// What makes this program a member: where it listens, the database's address, the keyspace and the lease in milliseconds,
/// with spaces in between.
const VARIABLE: &str = "DNA_MEMBER";

#[test]
fn a_member_runs_until_it_is_told_to_end() {
    let Ok(what) = env::var(VARIABLE) else {
        println!("this is what the other tests start as a process of its own");
        return;
    };
    let [listen, contact, keyspace, lease] = what.split(' ').collect::<Vec<_>>()[..] else { panic!("{what}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let lease = Duration::from_millis(lease.parse().unwrap());
        let node = start(contact, keyspace, listen.parse().unwrap(), lease, 100).await;
        let mut run = std::pin::pin!(node.run_until_signal());
        // Polled once, it is told of signals.
        assert!(futures_util::poll!(&mut run).is_pending());
        println!("\nready");
        std::io::stdout().flush().unwrap();
        run.await
    });
    println!("\n{ended:?}");
}

async fn start(contact: &str, keyspace: &str, listen: SocketAddr, lease: Duration, weight: u32) -> Node {
    let store = Scylla::connect(ScyllaConfig::new([contact], keyspace)).await.unwrap();
    let builder = Node::builder().store(store).listen(listen).lease(lease).weight(weight);
    builder.actor::<Register>().start().await.unwrap()
}

/// A node of this process that owns nothing, to call the others from.
pub(crate) async fn outside(keyspace: &Keyspace, lease: Duration) -> Node {
    start(&keyspace.contact, &keyspace.name, free_address(), lease, 0).await
}

/// A member's process. Dropped, it is killed.
pub(crate) struct Member {
    pub(crate) listen: SocketAddr,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Member {
    pub(crate) fn start(keyspace: &Keyspace, listen: SocketAddr, lease: Duration) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["member::a_member_runs_until_it_is_told_to_end", "--exact", "--nocapture"]);
        let Keyspace { contact, name, .. } = keyspace;
        command.env(VARIABLE, format!("{listen} {contact} {name} {}", lease.as_millis()));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Member { listen, child, stdout }
    }

    /// Waits until it is a member.
    pub(crate) fn is_ready(&mut self) {
        self.says("ready");
    }

    fn says(&mut self, what: &str) {
        let mut line = String::new();
        while line.trim_end() != what {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "{} has ended without `{what}`", self.listen);
        }
    }

    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Tells it to end, and waits until it has: well.
    pub(crate) fn terminate(&mut self) {
        signal_process(self.child.id(), "TERM");
        self.says("Ok(())");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until each of these owns something.
pub(crate) async fn all_own(node: &Node, members: &[SocketAddr]) {
    let until = Instant::now() + PATIENCE;
    let owns =
        |address: &SocketAddr| node.members().iter().any(|member| member.address == *address && member.shards > 0);
    while !members.iter().all(owns) {
        assert!(Instant::now() < until, "of {members:?} some own nothing: {:?}", node.members());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first registers that a member owns.
pub(crate) fn registers_of(node: &Node, member: SocketAddr, count: usize) -> Vec<String> {
    let is_there = |register: &String| match node.whereis::<Register>(register.as_str()).unwrap() {
        Location::There(there) => there.address == member,
        _ => false,
    };
    let registers = (0..10_000).map(|number| format!("register-{number}")).filter(is_there).take(count);
    let registers = registers.collect::<Vec<_>>();
    assert_eq!(registers.len(), count, "{member} owns too little: {:?}", node.members());
    registers
}
