//! The cluster's store in memory passes the suite that it is the reference for.

use crate::under_test::{InMemory, NONE};

dna_core::cluster_conformance!(InMemory<NONE>);
