//! A child, as the tests see it: what it is told, and what it says. Everything that is asked of its registers is
//! recorded, before it is sent and after it is answered.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use dna_core::testing::history::{Action, Ended, Pending, Recorder};

use crate::{
    child::{self, signal_process},
    database::Keyspace,
};

/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Addresses are in use from start to start, so that a process can follow another one on its address.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A process. A clone is the same one; with the last it is killed.
#[derive(Clone)]
pub(crate) struct Process(Arc<Inner>);

struct Inner {
    name: String,
    recorder: Recorder,
    child: Mutex<Child>,
    input: Sender<String>,
    heard: Arc<Heard>,
}

/// Waits until one of two processes owns this register and answers for it: which, and the other one.
pub(crate) fn who_serves<'a>([a, b]: [&'a Process; 2], register: &str) -> (&'a Process, &'a Process) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        for (serving, other) in [(a, b), (b, a)] {
            if serving.owns(register) && serving.read(register).value().is_some() {
                return (serving, other);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody serves `{register}` within {PATIENCE:?}")
}

/// What it has said.
#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    numbers: u64,
    /// What was asked and is not answered.
    asked: HashMap<u64, (Pending, Sender<Answer>)>,
    /// Whose owner was asked for and not told.
    owners: HashMap<u64, Sender<bool>>,
    /// Its ids, the present one last.
    pub(crate) ids: Vec<String>,
    /// The fault point at which it has ended or stopped itself.
    pub(crate) fault: Option<String>,
    /// How often it has stopped itself.
    pub(crate) stops: u64,
    /// Whose journals it has taken over.
    pub(crate) takeovers: Vec<Takeover>,
    /// What came of its leave.
    pub(crate) left: Option<String>,
    pub(crate) has_ended: bool,
}

/// A step of a takeover.
#[derive(Debug, Clone)]
pub(crate) struct Takeover {
    pub(crate) at: Instant,
    pub(crate) from: String,
    /// How long at the most the process has seen the other one silent; none where that was itself, under a former id.
    pub(crate) silent: Option<Duration>,
}

/// What came of a call, with what the process said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) ended: Ended,
    pub(crate) why: String,
}

impl Answer {
    pub(crate) fn value(&self) -> Option<u64> {
        match self.ended {
            Ended::Ok(value) => Some(value),
            _ => None,
        }
    }
}

/// A call that is on its way.
pub(crate) struct Call(Receiver<Answer>);

impl Call {
    pub(crate) fn answer(&self) -> Answer {
        match self.0.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(error) => panic!("a call is neither answered nor lost: {error}"),
        }
    }
}

impl Process {
    /// Starts a process that does nothing yet. The names of all processes of a history differ.
    pub(crate) fn start(name: impl Into<String>, keyspace: &Keyspace, listen: SocketAddr, recorder: &Recorder) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["child::a_child_serves_until_it_ends", "--exact", "--nocapture"]);
        let Keyspace { contact, name: tables, lanes, .. } = keyspace;
        command.env(child::VARIABLE, format!("{listen} {contact} {tables} {lanes}"));
        command.env(child::WITHOUT_VARIABLE, keyspace.without);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let heard = Arc::new(Heard::default());
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (input, lines) = channel::<String>();
        thread::spawn(move || {
            // Ends with the sender, or with the process.
            for line in lines {
                if writeln!(stdin, "{line}").is_err() {
                    return;
                }
            }
        });
        let hears = heard.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if let Some((_, said)) = line.split_once('@') {
                    hears.hear(said);
                }
            }
            hears.end();
        });
        let (name, recorder) = (name.into(), recorder.clone());
        Process(Arc::new(Inner { name, recorder, child: Mutex::new(child), input, heard }))
    }

    /// Starts one that becomes a member.
    pub(crate) fn join(name: impl Into<String>, keyspace: &Keyspace, listen: SocketAddr, recorder: &Recorder) -> Self {
        let process = Process::start(name, keyspace, listen, recorder);
        process.tell("join");
        process.wait("be a member", |state| !state.ids.is_empty());
        process
    }

    pub(crate) fn tell(&self, line: impl Into<String>) {
        // Where it has ended, it has said so.
        let _ = self.0.input.send(line.into());
    }

    /// Sends a call.
    pub(crate) fn send(&self, register: &str, action: Action) -> Call {
        let (sender, answer) = channel();
        let mut state = self.0.heard.lock();
        if state.has_ended {
            // It was never called.
            let _ = sender.send(Answer { ended: Ended::NotApplied, why: "the process has ended".to_owned() });
            return Call(answer);
        }
        state.numbers += 1;
        let number = state.numbers;
        let pending = self.0.recorder.invoke(&self.0.name, register, action);
        state.asked.insert(number, (pending, sender));
        drop(state);
        self.tell(format!("{number} {register} {action}"));
        Call(answer)
    }

    pub(crate) fn call(&self, register: &str, action: Action) -> Answer {
        self.send(register, action).answer()
    }

    pub(crate) fn read(&self, register: &str) -> Answer {
        self.call(register, Action::Read)
    }

    /// Whether it owns this register, as far as it knows.
    pub(crate) fn owns(&self, register: &str) -> bool {
        let (sender, answer) = channel();
        let mut state = self.0.heard.lock();
        if state.has_ended {
            return false;
        }
        state.numbers += 1;
        let number = state.numbers;
        state.owners.insert(number, sender);
        drop(state);
        self.tell(format!("{number} {register} where"));
        // Where it has ended, it owns nothing.
        answer.recv_timeout(PATIENCE).unwrap_or(false)
    }

    /// Waits until it answers for this register, its own or not.
    pub(crate) fn serves(&self, register: &str) {
        self.insist(register, Action::Read);
    }

    /// Calls until it is answered: with which number.
    pub(crate) fn insist(&self, register: &str, action: Action) -> u64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.call(register, action);
            if let Some(value) = answer.value() {
                return value;
            }
            assert!(Instant::now() < until, "{} does not serve `{register}`: {}", self.0.name, answer.why);
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        signal_process(self.0.child.lock().unwrap().id(), signal);
    }

    pub(crate) fn kill(&self) {
        self.0.child.lock().unwrap().kill().unwrap();
        self.wait("end", |state| state.has_ended);
        self.0.child.lock().unwrap().wait().unwrap();
    }

    /// Has it leave, and waits for its end.
    pub(crate) fn leave(&self) -> String {
        self.tell("leave");
        self.wait("leave", |state| state.has_ended);
        self.0.child.lock().unwrap().wait().unwrap();
        self.0.heard.lock().left.clone().unwrap_or_else(|| "it said nothing".to_owned())
    }

    pub(crate) fn takeovers(&self) -> Vec<Takeover> {
        self.0.heard.lock().takeovers.clone()
    }

    pub(crate) fn id(&self) -> Option<String> {
        self.0.heard.lock().ids.last().cloned()
    }

    /// How often it has stopped itself.
    pub(crate) fn stops(&self) -> u64 {
        self.0.heard.lock().stops
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.heard.lock().has_ended
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, what: &str, is: impl Fn(&State) -> bool) {
        assert!(self.waits(PATIENCE, is), "{} did not {what}", self.0.name);
    }

    /// Waits so long until it is so. Answers whether it is.
    pub(crate) fn waits(&self, patience: Duration, is: impl Fn(&State) -> bool) -> bool {
        let heard = &self.0.heard;
        let (state, _) = heard.changed.wait_timeout_while(heard.lock(), patience, |state| !is(state)).unwrap();
        is(&state)
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn hear(&self, said: &str) {
        let mut state = self.lock();
        let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
        match word {
            "member" => state.ids.push(rest.to_owned()),
            "fault" => {
                state.fault = Some(rest.to_owned());
                state.stops += 1;
            }
            "takes" => {
                let (from, silent) = rest.split_once(' ').unwrap();
                let silent = silent.parse().ok().map(Duration::from_millis);
                state.takeovers.push(Takeover { at: Instant::now(), from: from.to_owned(), silent });
            }
            "left" => state.left = Some("left".to_owned()),
            "stayed" => state.left = Some(rest.to_owned()),
            number if rest == "owns" || rest == "other" => {
                // Who does not want to know has dropped it.
                let _ = state.owners.remove(&number.parse().unwrap()).unwrap().send(rest == "owns");
            }
            number => {
                let (pending, sender) = state.asked.remove(&number.parse().unwrap()).unwrap();
                let (word, why) = rest.split_once(' ').unwrap_or((rest, ""));
                let ended = match word {
                    "ok" => Ended::Ok(why.trim().parse().unwrap()),
                    "not-applied" => Ended::NotApplied,
                    _ => Ended::Unknown,
                };
                pending.end(ended);
                // Who does not want to know has dropped it.
                let _ = sender.send(Answer { ended, why: why.to_owned() });
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        state.owners.clear();
        for (_, (pending, sender)) in state.asked.drain() {
            pending.unknown();
            let _ = sender.send(Answer { ended: Ended::Unknown, why: "the process has ended".to_owned() });
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}
