//! The nodes as processes of this program.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::node::Place;

/// How long a node has to leave.
const LEAVING: Duration = Duration::from_secs(60);

/// One node. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    place: Place,
    child: Option<Child>,
}

impl Process {
    /// The node with this number, started.
    pub(crate) fn start(number: u16, place: &Place) -> dna::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7400 + number));
        let mut process = Process { address, place: place.clone(), child: None };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it on the address that it had.
    pub(crate) fn start_again(&mut self) -> dna::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", "--listen", &self.address.to_string()]);
        command.args(["--database", &self.place.database, "--keyspace", &self.place.keyspace]);
        self.child = Some(command.stdin(Stdio::null()).spawn()?);
        Ok(())
    }

    /// The id of the process, while there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))))
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) -> dna::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Tells it to end, and waits for that.
    pub(crate) async fn stop(mut self) -> dna::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        }
        let until = Instant::now() + LEAVING;
        while child.try_wait()?.is_none() {
            if Instant::now() > until {
                child.kill()?;
                return Err(dna::Error::new(format!("{} did not leave within {LEAVING:?}", self.address)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is what is wanted.
        let _ = self.kill();
    }
}
