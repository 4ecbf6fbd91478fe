//! One caller of one actor, who knows what the actor's state has to be.

use dna::{CallError, ErrorKind, Outcome};
use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    reference::{Message, Reference, all},
    rng::Rng,
    shelf::{End, Failed, Seen, ShelfClient},
};

/// How many bursts of messages make a visit.
const BURSTS: u64 = 30;

/// How many messages are under way at once.
const BURST_MESSAGES_MAX: u64 = 12;

pub(crate) struct Visitor {
    pub(crate) name: &'static str,
    pub(crate) operations: u64,
    rng: Rng,
    /// What the state may be: more than one where a node has ended with messages under way, each with one more of
    /// those whose fate is unknown.
    states: Vec<Reference>,
}

type Answer = Result<Vec<Seen>, CallError<Failed>>;

impl Visitor {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        Visitor { name, operations: 0, rng: Rng::new(seed), states: vec![Reference::default()] }
    }

    /// Sends bursts of messages until the node has ended, or it is enough.
    pub(crate) async fn visit(&mut self, shelf: ShelfClient, pulse: UnboundedSender<()>) {
        for _ in 0..BURSTS {
            if self.states.len() > 1 && !self.compare(&shelf).await {
                return;
            }
            let burst = (0..=self.rng.below(BURST_MESSAGES_MAX)).map(|_| Message::random(&mut self.rng)).collect();
            if !self.send(&shelf, burst).await {
                return;
            }
            // Who listens may have gone already.
            let _ = pulse.send(());
        }
    }

    /// Says whether the node goes on.
    async fn send(&mut self, shelf: &ShelfClient, burst: Vec<Message>) -> bool {
        let answers = join_all(burst.iter().map(|message| call(shelf, message.clone()))).await;
        let mut goes_on = true;
        for (message, answer) in burst.into_iter().zip(answers) {
            self.operations += message.len() as u64;
            goes_on &= self.take(&message, answer);
        }
        goes_on
    }

    /// Compares an answer with what it has to be. Says whether the node goes on.
    fn take(&mut self, message: &Message, answer: Answer) -> bool {
        let mut after = self.states.last().unwrap().clone();
        let (seen, end) = match message {
            Message::Put(key, value) => (after.run(&[crate::shelf::Step::Put(key.clone(), *value)]), End::Ok),
            Message::Get(key) => (after.look(&[crate::shelf::Look::Get(key.clone())]), End::Ok),
            Message::Run(steps, end) => (after.run(steps), *end),
            Message::Look(looks) => (after.look(looks), End::Ok),
        };
        let error = match answer {
            Ok(answer) => {
                assert_eq!((answer, End::Ok), (seen, end), "{} {message:?} on {:?}", self.name, self.states);
                assert_eq!(self.states.len(), 1, "nothing is answered behind an unknown outcome");
                self.states = vec![after];
                return true;
            }
            Err(error) => error,
        };
        match (&error, end) {
            (CallError::Handler { error: Failed::Asked { seen: answer }, .. }, End::Err) => {
                assert_eq!(*answer, seen, "{} {message:?} on {:?}", self.name, self.states);
            }
            (CallError::Handler { error: Failed::Storage(error), .. }, _) => {
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true), "{error}");
            }
            (CallError::Panicked { .. }, End::Panic) => {}
            (CallError::NotCommitted { .. }, _) => assert!(error.is_retryable()),
            (CallError::Stopped { .. } | CallError::Lost { .. }, _) => {
                if error.outcome() == Outcome::Unknown && end == End::Ok && self.states.last() != Some(&after) {
                    self.states.push(after);
                }
                return false;
            }
            _ => panic!("{} {message:?}: {error:?}", self.name),
        }
        assert_eq!(error.outcome(), Outcome::NotApplied);
        true
    }

    /// Reads everything and compares it with what it may be. Says whether the node goes on.
    pub(crate) async fn compare(&mut self, shelf: &ShelfClient) -> bool {
        loop {
            let seen = match shelf.look(all()).await {
                Ok(seen) => seen,
                Err(CallError::Handler { .. } | CallError::NotCommitted { .. }) => continue,
                Err(CallError::Stopped { .. } | CallError::Lost { .. }) => return false,
                Err(error) => panic!("{error:?}"),
            };
            let state = self.states.iter().find(|state| state.look(&all()) == seen);
            let state = state.unwrap_or_else(|| panic!("{}: {seen:?} is none of {:?}", self.name, self.states));
            self.states = vec![state.clone()];
            return true;
        }
    }
}

async fn call(shelf: &ShelfClient, message: Message) -> Answer {
    match message {
        Message::Put(key, value) => shelf
            .put(key, value)
            .await
            .map(|()| vec![Seen::Done])
            .map_err(|error| error.map_handler_error(|e| match e {})),
        Message::Get(key) => {
            let got = shelf.get(key).await;
            got.map(|number| vec![Seen::Number(number)]).map_err(|error| error.map_handler_error(Failed::Storage))
        }
        Message::Run(steps, end) => shelf.run(steps, end).await,
        Message::Look(looks) => shelf.look(looks).await,
    }
}
