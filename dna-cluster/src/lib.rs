//! Membership and sharding over a database.
//!
//! The nodes of a cluster share a [`ClusterStore`](dna_core::ClusterStore). One register in it holds the [`View`]: who is
//! a member, and who owns which shard. A [`Membership`] joins, beats, watches the others, takes over from the dead and
//! leaves; a [`Host`] runs something on the shards that are its own.
//!
//! ```
//! use std::{net::SocketAddr, sync::Arc};
//!
//! use dna_cluster::{Config, Host, Incarnation, Loss, Membership, Owner};
//! use dna_core::{AttachError, MemoryCluster, Shard};
//! use futures_util::future::{BoxFuture, ready};
//!
//! struct Idle;
//!
//! impl Host for Idle {
//!     fn begin(&self, _: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
//!         Box::pin(ready(Ok(())))
//!     }
//!
//!     fn own(&self, shards: &[(Shard, u64)]) {
//!         assert_eq!(shards.len(), 256);
//!     }
//!
//!     fn release<'a>(&'a self, _: &'a [Shard]) -> BoxFuture<'a, ()> {
//!         Box::pin(ready(()))
//!     }
//!
//!     fn drop_all(&self, _: Loss) -> BoxFuture<'_, ()> {
//!         Box::pin(ready(()))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listen: SocketAddr = "127.0.0.1:0".parse()?;
//! let node = Membership::start(Arc::new(MemoryCluster::new()), Arc::new(Idle), Config::new(listen)).await?;
//! assert!(matches!(node.owner(Shard(7)), Owner::Own { epoch: 1 }));
//! node.leave().await?;
//! # Ok(())
//! # }
//! ```

mod beats;
mod config;
pub mod decide;
mod error;
mod host;
mod lease;
mod life;
pub mod limits;
mod members;
mod membership;
mod meter;
mod moment;
mod names;
mod register;
mod routing;
#[cfg(test)]
mod samples;
mod seam;
mod view;

pub use config::Config;
pub use error::{LeaveError, StartError};
pub use host::{FencedReport, Host, Incarnation, Loss};
pub use lease::LeaseHandle;
pub use members::{MemberInfo, Members, MembersWatch};
pub use membership::{Membership, Status};
pub use meter::METRICS;
pub use moment::Moment;
pub use routing::Routing;
#[cfg(feature = "testing")]
pub use routing::{RoutingRule, Simulated};
pub use view::{Difference, FORMAT, Machine, Member, MemberState, Owner, Placement, Seen, Settings, View, ViewError};
