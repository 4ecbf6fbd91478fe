//! One node: what a program of one's own would do.

use std::net::SocketAddr;

use clap::Args;
use dna::{NodeBuilder, prelude::*};

use crate::{counter::Counter, database::DATABASE};

#[derive(Args)]
pub(crate) struct NodeArgs {
    /// Where this node listens; the others reach it there.
    #[arg(long)]
    listen: SocketAddr,
    #[command(flatten)]
    place: Place,
}

/// Which cluster it is.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// A node of the database. If it is another one than this, it has to run already.
    #[arg(long, default_value = DATABASE)]
    pub(crate) database: String,
    /// The keyspace, which is one cluster.
    #[arg(long, default_value = "dna_cluster_example")]
    pub(crate) keyspace: String,
}

impl Place {
    /// How to reach it.
    pub(crate) fn config(&self) -> ScyllaConfig {
        ScyllaConfig::new([self.database.as_str()], &self.keyspace)
    }

    /// A node that is not started yet.
    pub(crate) async fn builder(&self, listen: SocketAddr) -> dna::Result<NodeBuilder> {
        let scylla = Scylla::connect(self.config()).await?;
        Ok(Node::builder().store(scylla).listen(listen).actor::<Counter>())
    }
}

/// Runs a node until SIGTERM or ctrl-c. It gives its names to the others then, and leaves.
pub(crate) async fn run(args: NodeArgs) -> dna::Result<()> {
    let node = args.place.builder(args.listen).await?.start().await?;
    node.run_until_signal().await
}
