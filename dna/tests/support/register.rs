//! A register as an actor.

use dna::{CallError, Outcome, Value};
use dna_core::testing::history::{Action, Ended};

/// One number. It is read from memory, so that nothing but the lease keeps a deposed owner from showing an old one.
pub(crate) struct Register {
    stored: Value<u64>,
    value: u64,
}

#[dna::actor(vis = pub(crate))]
impl Register {
    async fn init(ctx: dna::Context) -> dna::Result<Self> {
        let stored = ctx.open::<Value<u64>>("value")?;
        let value = stored.get().await?.unwrap_or_default();
        Ok(Register { stored, value })
    }

    pub fn read(&self) -> u64 {
        self.value
    }

    pub fn write(&mut self, value: u64) -> u64 {
        self.value = value;
        self.stored.set(value);
        value
    }

    pub fn add(&mut self, amount: u64) -> u64 {
        self.write(self.value + amount)
    }

    pub fn swap(&mut self, expected: u64, new: u64) -> u64 {
        if self.value == expected { self.write(new) } else { self.value }
    }
}

/// Does to a register what is recorded of it.
pub(crate) async fn apply(register: &RegisterClient, action: Action) -> Result<u64, CallError> {
    match action {
        Action::Read => register.read().await,
        Action::Write(value) => register.write(value).await,
        Action::Add(amount) => register.add(amount).await,
        Action::Swap(expected, new) => register.swap(expected, new).await,
    }
}

/// What a history says of this.
pub(crate) fn ended(answer: &Result<u64, CallError>) -> Ended {
    match answer {
        Ok(value) => Ended::Ok(*value),
        Err(error) if error.outcome() == Outcome::NotApplied => Ended::NotApplied,
        Err(_) => Ended::Unknown,
    }
}
