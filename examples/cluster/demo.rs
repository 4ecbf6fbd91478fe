//! The course of events.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use clap::Args;
use dna::{Location, MemberInfo, Node};

use crate::{
    counter::Counter,
    database::Database,
    load::Load,
    node::Place,
    processes::Process,
    screen::{LoadLine, NodeRow, Screen},
};

/// How many names are called, each by one caller.
const NAMES: usize = 96;
/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Demo {
    /// How many seconds are shown between two events.
    #[arg(long, default_value_t = 5)]
    pause: u64,
    #[command(flatten)]
    place: Place,
}

struct Stage {
    screen: Screen,
    nodes: Vec<Process>,
    /// It serves nothing, and calls everything.
    client: Node,
    load: Load,
    takeover: Option<Duration>,
}

impl Demo {
    pub(crate) async fn run(self) -> dna::Result<()> {
        let mut screen = Screen::new();
        screen.say("starting the database");
        let database = Database::up(&self.place).await?;
        screen.say("starting three nodes");
        let nodes = (1..=3).map(|number| Process::start(number, &self.place)).collect::<dna::Result<Vec<_>>>()?;
        let client = self.place.builder(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let client = client.weight(0).start().await?;
        // Names of their own in every run, so that counts begin at zero.
        let run = std::process::id();
        let names: Vec<String> = (0..NAMES).map(|number| format!("{run}-{number}")).collect();
        let load = Load::start(&client, &names);
        let mut stage = Stage { screen, nodes, client, load, takeover: None };

        stage.until(|stage| stage.served().len() == stage.nodes.len()).await?;
        stage.screen.say(&format!("each node has names; {NAMES} callers count without a pause"));
        stage.watch(self.pause).await?;
        let lost = stage.kill(1, &names)?;
        stage.until_answered(&lost).await?;
        stage.watch(self.pause).await?;
        stage.nodes.iter_mut().filter(|node| node.pid().is_none()).try_for_each(Process::start_again)?;
        stage.screen.say("the killed node is started again");
        stage.until(|stage| stage.served().len() == stage.nodes.len()).await?;
        stage.screen.say("it has names again");
        stage.watch(self.pause).await?;
        stage.finish().await?;
        database.down()
    }
}

impl Stage {
    /// The nodes that own something.
    fn served(&self) -> Vec<MemberInfo> {
        let nodes = self.client.members().into_iter();
        nodes
            .filter(|member| member.shards > 0 && self.nodes.iter().any(|node| node.address == member.address))
            .collect()
    }

    /// Shows a second.
    async fn show(&mut self, keep: bool) -> dna::Result<()> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(node) = self.nodes.iter_mut().find_map(|node| node.has_ended().then_some(node.address)) {
            return Err(dna::Error::new(format!("the node at {node} has ended by itself; what it said is above")));
        }
        let members = self.client.members();
        let row = |node: &Process| {
            let member = members.iter().find(|member| member.address == node.address);
            NodeRow {
                address: node.address.to_string(),
                process: node.pid().map_or_else(|| "killed".to_owned(), |pid| pid.to_string()),
                state: member.map_or_else(|| "no member".to_owned(), |member| format!("{:?}", member.state)),
                shards: member.map_or(0, |member| member.shards).to_string(),
            }
        };
        let rows: Vec<NodeRow> = self.nodes.iter().map(row).collect();
        let second = self.load.second();
        let line = LoadLine {
            answers: second.latencies.len(),
            p50: second.percentile(50),
            p99: second.percentile(99),
            retried: self.load.retried(),
            unknown: self.load.unknown(),
            takeover: self.takeover,
        };
        self.screen.draw(&rows, &line, keep);
        Ok(())
    }

    /// Shows some seconds; the last one stays.
    async fn watch(&mut self, seconds: u64) -> dna::Result<()> {
        for second in 1..=seconds {
            self.show(second == seconds).await?;
        }
        Ok(())
    }

    async fn until(&mut self, is: impl Fn(&Stage) -> bool) -> dna::Result<()> {
        let started = Instant::now();
        while !is(self) {
            if started.elapsed() > PATIENCE {
                return Err(dna::Error::new(format!("nothing has changed for {PATIENCE:?}")));
            }
            self.show(false).await?;
        }
        Ok(())
    }

    /// Kills a node. The names that it served.
    fn kill(&mut self, which: usize, names: &[String]) -> dna::Result<Vec<String>> {
        let node = self.nodes.get_mut(which).ok_or_else(|| dna::Error::new("there is no such node"))?;
        let served = |name: &&String| match self.client.whereis::<Counter>(name.as_str()) {
            Ok(Location::There(owner)) => owner.address == node.address,
            _ => false,
        };
        let lost: Vec<String> = names.iter().filter(served).cloned().collect();
        let (address, pid) = (node.address, node.pid().unwrap_or_default());
        node.kill()?;
        self.load.mark();
        self.screen.say(&format!("kill -9 {pid}: {address}, which served {} of the names", lost.len()));
        Ok(lost)
    }

    /// Shows how the others take over.
    async fn until_answered(&mut self, lost: &[String]) -> dna::Result<()> {
        self.until(|stage| stage.load.answered_after(lost).is_some()).await?;
        self.takeover = self.load.answered_after(lost);
        let took = self.takeover.unwrap_or_default();
        self.screen.say(&format!("all of them are answered again, {:.1} s after the kill", took.as_secs_f64()));
        Ok(())
    }

    /// Ends the load, compares what was counted with what the callers were told, and ends the nodes.
    async fn finish(self) -> dna::Result<()> {
        let Stage { mut screen, nodes, client, load, .. } = self;
        let (mut acknowledged, mut unknown, mut counted) = (0, 0, 0);
        for told in load.stop().await {
            let count = client.client::<Counter>(told.name.as_str()).count().await?;
            if count < told.acknowledged || count > told.acknowledged + told.unknown {
                let what =
                    format!("{} was counted to {count}, and {} times acknowledged", told.name, told.acknowledged);
                return Err(dna::Error::new(what));
            }
            acknowledged += told.acknowledged;
            unknown += told.unknown;
            counted += count;
        }
        screen
            .say(&format!("{acknowledged} calls were acknowledged, {unknown} unknown; {counted} are in the counters"));
        screen.say("every name holds what was acknowledged, and nothing twice; the nodes are told to leave");
        for node in nodes {
            node.stop().await?;
        }
        client.shutdown().await?;
        Ok(())
    }
}
