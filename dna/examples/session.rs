//! Sessions that end when nobody has used them for a while: `cargo run --example session`.
//!
//! A schedule lives as long as its activation, so what must not be forgotten is stored, and scheduled anew in `init`.
#![allow(clippy::print_stdout, reason = "it shows what it does")]
#![allow(clippy::disallowed_methods, reason = "it waits for time to pass, and asks what time it is")]

use std::time::{Duration, SystemTime};

use dna::prelude::*;
use serde::{Deserialize, Serialize};

/// How long a session lasts when it is not used.
const LIFETIME: Duration = Duration::from_millis(300);

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    user: String,
    until: SystemTime,
}

struct Session {
    login: Value<Login>,
    expiry: Option<Scheduled>,
    ctx: Context<Self>,
}

#[dna::actor]
impl Session {
    async fn init(ctx: Context<Self>) -> dna::Result<Self> {
        let mut session = Session { login: ctx.open("login")?, expiry: None, ctx };
        if let Some(login) = session.login.get().await? {
            session.schedule_expiry(&login)?;
        }
        println!("   [{}] init", session.name());
        Ok(session)
    }

    /// Begins the session.
    pub async fn log_in(&mut self, user: String) -> dna::Result<()> {
        self.extend(user)
    }

    /// Whose session it is. To ask is to use it.
    pub async fn user(&mut self) -> dna::Result<Option<String>> {
        let Some(login) = self.login.get().await? else { return Ok(None) };
        self.extend(login.user.clone())?;
        Ok(Some(login.user))
    }

    /// Ends the session, if its time has come.
    pub async fn expire(&mut self) -> dna::Result<()> {
        if self.login.get().await?.is_some_and(|login| login.until <= SystemTime::now()) {
            println!("   [{}] expired", self.name());
            self.login.delete();
        }
        Ok(())
    }

    /// Runs after commits, one call for several.
    async fn after_persist(&self) {
        println!("   [{}] what it has written is durable", self.name());
    }

    /// Runs before the activation ends.
    async fn on_stop(&mut self) {
        println!("   [{}] on_stop", self.name());
    }

    fn extend(&mut self, user: String) -> dna::Result<()> {
        let login = Login { user, until: SystemTime::now() + LIFETIME };
        self.schedule_expiry(&login)?;
        self.login.set(login);
        Ok(())
    }

    /// Has the session looked at when its time is over, and no earlier.
    fn schedule_expiry(&mut self, login: &Login) -> dna::Result<()> {
        let left = login.until.duration_since(SystemTime::now()).unwrap_or_default();
        let expiry = self.ctx.schedule(left + Duration::from_millis(1), SessionMessage::Expire)?;
        if let Some(earlier) = self.expiry.replace(expiry) {
            earlier.cancel();
        }
        Ok(())
    }

    fn name(&self) -> &str {
        self.ctx.name().name()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dna::Result<()> {
    let node = Node::builder().store(Memory::new()).actor::<Session>().start().await?;
    let session = Session::client("4711");

    println!("1. Somebody logs in.");
    session.log_in("alice").await?;

    println!("2. The session is used, so it lasts longer than its {LIFETIME:?}.");
    for _ in 0..2 {
        tokio::time::sleep(LIFETIME * 2 / 3).await;
        println!("   it is {:?}'s", session.user().await?);
    }

    println!("3. The actor is passivated. The next activation schedules the expiry again.");
    node.passivate_all().await;
    println!("   it is {:?}'s", session.user().await?);

    println!("4. Nobody uses it.");
    tokio::time::sleep(LIFETIME * 2).await;
    println!("   it is {:?}'s", session.user().await?);

    node.shutdown().await?;
    Ok(())
}
