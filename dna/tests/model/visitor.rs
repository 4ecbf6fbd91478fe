//! One caller of one actor, who knows what the actor's state has to be.

use std::collections::VecDeque;

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

/// How much of its history a visitor keeps.
const HISTORY: usize = 60;

pub(crate) struct Visitor {
    pub(crate) name: &'static str,
    pub(crate) operations: u64,
    rng: Rng,
    /// What the state may be: more than one where a node has ended with messages under way, each with one more of
    /// those whose fate is unknown.
    states: Vec<Reference>,
    /// The last messages and what came of them, for who has to find out why a test failed.
    history: VecDeque<String>,
}

type Answer = Result<Vec<Seen>, CallError<Failed>>;

impl Visitor {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        Visitor {
            name,
            operations: 0,
            rng: Rng::new(seed),
            states: vec![Reference::default()],
            history: VecDeque::new(),
        }
    }

    /// Sends bursts of messages until the node has ended, or it is enough.
    pub(crate) async fn visit(&mut self, shelf: ShelfClient, pulse: UnboundedSender<()>) {
        self.note("a visit begins".to_owned());
        // This also uses up what was left of failing reads.
        if !self.compare(&shelf).await {
            return;
        }
        for _ in 0..BURSTS {
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
        self.note(format!("{message:?} -> {answer:?}"));
        let error = match answer {
            Ok(answer) => {
                if (&answer, End::Ok) != (&seen, end) || self.states.len() > 1 {
                    self.fail(&format!("it should have been {seen:?} on {:?}", self.states));
                }
                self.states = vec![after];
                return true;
            }
            Err(error) => error,
        };
        match (&error, end) {
            (CallError::Handler { error: Failed::Asked { seen: answer }, .. }, End::Err) => {
                if *answer != seen {
                    self.fail(&format!("it should have seen {seen:?} on {:?}", self.states));
                }
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
            _ => self.fail("that should not have happened"),
        }
        assert_eq!(error.outcome(), Outcome::NotApplied);
        true
    }

    fn note(&mut self, what: String) {
        self.history.push_back(what);
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    fn fail(&self, why: &str) -> ! {
        let history = self.history.iter().map(|line| format!("{line}\n")).collect::<String>();
        panic!("{}: {history}{why}", self.name);
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
            let at = self.states.iter().position(|state| state.look(&all()) == seen);
            let at = at.unwrap_or_else(|| self.fail(&format!("{seen:?} is none of {:?}", self.states)));
            self.states = vec![self.states.swap_remove(at)];
            self.note(format!("compared: it is state {at}"));
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
