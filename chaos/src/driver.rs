//! A run: makes the ground, starts everything on it, breaks it for a while, and checks what was recorded.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use dna_core::testing::history::{Ended, Event, History, check};

use crate::{
    clock,
    database::{self, Database},
    drawing::draw,
    faults::{Broken, Cluster, Program},
    ground::{Ground, Place},
    outages::{Call, counts, longest_silence, spans},
    plan::{Fault, Plan},
    recorded::read_all,
    report::Report,
    rng::Rng,
    trail::{self, Sent},
};

/// What a run is.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// For how long things break.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Repeats what breaks when; what comes of it depends on more than that [default: from the clock, and printed]
    #[arg(long)]
    seed: Option<u64>,
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=9))]
    nodes: u64,
    /// How long a lease is, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    lease_ms: u64,
    /// No networks of one's own, also where they could be had: processes and the database are broken, networks are not.
    #[arg(long)]
    loopback: bool,
    /// Where the report, the curve and all that was recorded are written.
    #[arg(long, default_value = "target/chaos")]
    dir: PathBuf,
}

const KEYSPACE: &str = "dna_chaos";
/// How long the same registers are called, in milliseconds.
const WHILE_MS: u64 = 10_000;

/// Of so many calls of a kind one has to be answered at the least, whatever breaks: who answers nothing is never wrong.
const CALLS_AN_ANSWER_MAX: u64 = 10;
/// By how much others may take over from a process that was killed later than they could: the machine may be busy.
const TAKEOVER_SLACK: Duration = Duration::from_secs(10);

/// What was seen while it ran.
struct Ran {
    lease: Duration,
    since: u64,
    until: u64,
    broken: Vec<Broken>,
}

/// Runs. Success only if nothing was wrong.
pub(crate) fn run(options: &Options) -> ExitCode {
    let seed = options.seed.unwrap_or_else(|| Rng::seed("DNA_CHAOS_SEED"));
    let records = options.dir.join("records");
    // There may be none yet.
    let _ = fs::remove_dir_all(&records);
    fs::create_dir_all(&records).unwrap();
    let nodes = usize::try_from(options.nodes).unwrap();
    let (ground, about) = ground(options, nodes);
    println!("{about}; seed {seed}");
    let ran = break_it(options, &ground, seed, nodes, &records);
    drop(ground);
    let report = judge(seed, about, &ran, &records, &options.dir);
    println!("\n{report}\nrecorded in {}", options.dir.display());
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ground(options: &Options, nodes: usize) -> (Ground, String) {
    if options.loopback {
        return (Ground::Loopback, "processes on loopback, whose networks stay whole".to_owned());
    }
    // The same names in every run of this directory, so that what a run that was killed has left is found.
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(&options.dir).unwrap().hash(&mut hasher);
    match Ground::namespaces(&format!("dna-{:08x}", hasher.finish() >> 32), nodes) {
        Ok(ground) => (ground, "processes in network namespaces of their own".to_owned()),
        Err(why) => {
            let about = format!("processes on loopback, whose networks stay whole, since there are no others: {why}");
            (Ground::Loopback, about)
        }
    }
}

fn break_it(options: &Options, ground: &Ground, seed: u64, nodes: usize, records: &Path) -> Ran {
    println!("starting the database");
    let database = Database::start(ground);
    let (contact, own) = (database.contact().to_string(), env::current_exe().unwrap());
    let tables = ["--contact", &contact, "--keyspace", KEYSPACE];
    database::run(ground.command(Place::Database, &own).arg("schema").args(tables), true);

    let since = clock::micros();
    let lease = Duration::from_millis(options.lease_ms);
    let more = ["--since", &since.to_string(), "--while-ms", &WHILE_MS.to_string()].map(str::to_owned);
    let more = more.into_iter().chain(["--lease-ms".to_owned(), options.lease_ms.to_string()]);
    let more = more.chain(["--dir".to_owned(), fs::canonicalize(records).unwrap().display().to_string()]);
    let args = tables.map(str::to_owned).into_iter().chain(more).collect();
    println!("starting {nodes} nodes");
    let program = Program { path: own, args, dir: records.to_path_buf(), seed };
    let mut cluster = Cluster::start(ground, database, program, nodes);
    let began = clock::micros();
    let ends = began + options.seconds * 1_000_000;
    let mut broken = Vec::new();
    for step in Plan::new(seed, nodes, lease, ground.has_networks()) {
        std::thread::sleep(step.rest);
        if clock::micros() >= ends {
            break;
        }
        println!("{:>6.1} s  {}", (clock::micros() - began) as f64 / 1e6, step.fault);
        broken.push(cluster.suffer(step));
        cluster.are_ready();
    }
    let until = clock::micros();
    println!("reading everything");
    cluster.end();
    Ran { lease, since: began, until, broken }
}

/// Checks what was recorded, and writes down what came of it.
fn judge(seed: u64, ground: String, ran: &Ran, records: &Path, dir: &Path) -> Report {
    let events = read_all::<Event>(records, "history");
    let sent = read_all::<Sent>(records, "trail");
    let probes = read_all::<Call>(records, "probes");
    let errors = read_all::<String>(records, "errors");
    let read = read_all::<Sent>(records, "txt").into_iter().map(|line| line.message).collect::<Vec<_>>();

    let mut wrong = trail::check(&sent, &read);
    let history = History::from_events(events).unwrap();
    if let Err(error) = check(&history) {
        wrong.push(error.to_string());
    }
    let registers = history.registers();
    let of_registers =
        registers.flat_map(|(register, operations)| operations.iter().map(|one| Call::of_register(register, one)));
    let of_registers = of_registers.collect::<Vec<_>>();
    let answered = |calls: &[Call]| calls.iter().filter(|call| call.answered).count() as u64;
    let begun = sent.iter().filter(|sent| sent.ended.is_none()).count() as u64;
    let appended = sent.iter().filter(|sent| matches!(sent.ended, Some(Ended::Ok(_)))).count() as u64;
    let calls = vec![
        ("registers", of_registers.len() as u64, answered(&of_registers)),
        ("probes", probes.len() as u64, answered(&probes)),
        ("trails, of which an eighth is one-way", begun, appended),
    ];
    wrong.extend(unanswered(&calls));
    let spans = spans(of_registers.iter().chain(&probes), ran.since, ran.until);
    fs::write(dir.join("availability.svg"), draw(&ground, &spans, ran.since, &ran.broken)).unwrap();
    // What was broken last is looked at up to the end of the load, everything else up to what was broken next.
    let ends = ran.broken.iter().skip(1).map(|next| next.from).chain([ran.until]);
    let silences = ran.broken.iter().zip(ends).map(|(broken, end)| longest_silence(&probes, broken, end));
    let broken = ran.broken.iter().cloned().zip(silences).collect::<Vec<_>>();
    wrong.extend(not_taken_over(&broken, ran.since, ran.lease));
    let report = Report {
        ground,
        seed,
        seconds: (ran.until - ran.since) as f64 / 1e6,
        calls,
        errors: counts(&errors),
        broken,
        since: ran.since,
        wrong,
    };
    fs::write(dir.join("report.md"), report.to_string()).unwrap();
    report
}

/// The kinds of calls of which too few were answered for the others to show anything.
fn unanswered(calls: &[(&'static str, u64, u64)]) -> Vec<String> {
    let few = |all: u64, answered: u64| answered == 0 || answered < all / CALLS_AN_ANSWER_MAX;
    let unanswered = calls.iter().filter(|(_, all, answered)| few(*all, *answered));
    unanswered.map(|(what, all, answered)| format!("unanswered: {what}: {answered} of {all} calls")).collect()
}

/// The processes that were killed, and from which nobody took over in time.
fn not_taken_over(broken: &[(Broken, u64)], since: u64, lease: Duration) -> Vec<String> {
    // Who is taken for dead has not beaten for a tenth longer than a lease.
    let limit = lease + lease / 10 + TAKEOVER_SLACK;
    let killed = broken.iter().filter(|(broken, _)| matches!(broken.fault, Fault::Kill { at_once: false, .. }));
    let silent = killed.map(|(broken, silence)| (broken, Duration::from_micros(*silence)));
    let late = silent.filter(|(_, silence)| *silence > limit);
    let late = late.map(|(Broken { fault, from, .. }, silence)| {
        let at = Duration::from_micros(from.saturating_sub(since));
        format!("silent: {fault} at {at:.1?}, and then nobody answered to a name for {silence:.1?}, over {limit:.1?}")
    });
    late.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u64 = 20_000_000;

    /// What a run says that has recorded this.
    fn judged(name: &str, files: &[(&str, &str)], broken: Vec<Broken>) -> Report {
        let dir = env::temp_dir().join(format!("dna-chaos-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        let ran = Ran { lease: Duration::from_secs(1), since: 0, until: END, broken };
        let report = judge(1, "recorded by hand".to_owned(), &ran, &dir, &dir);
        let written = fs::read_to_string(dir.join("report.md")).unwrap();
        assert_eq!(written, report.to_string());
        assert!(fs::read_to_string(dir.join("availability.svg")).unwrap().contains("</svg>"));
        fs::remove_dir_all(dir).unwrap();
        report
    }

    const FIRST: (&str, &str) = ("n1.1.history", "10 n1.1 1 invoke a add 1\n20 n1.1 1 ok 1\n30 n1.1 2 invo");
    const SENT: (&str, &str) = ("n1.1.trail", "10 n1.1-0 trail-0 1 invoke\n20 n1.1-0 trail-0 1 ok\n");
    const READ: (&str, &str) = ("trails.txt", "90 n1.1-0 trail-0 1 ok\n");

    const PROBES: (&str, &str) = ("n1.1.probes", "100 200 n1.1 probe-0 ok\n");

    #[test]
    fn what_can_be_explained_passes() {
        let second = ("n2.1.history", "40 n2.1 1 invoke a read\n50 n2.1 1 ok 1\n");
        let report = judged("passes", &[FIRST, second, SENT, READ, PROBES], Vec::new());
        assert!(report.wrong.is_empty(), "{report}");
    }

    #[test]
    fn a_write_that_was_lost_is_found_out() {
        let second = ("n2.1.history", "40 n2.1 1 invoke a read\n50 n2.1 1 ok 0\n");
        let report = judged("lost", &[FIRST, second, SENT, READ, PROBES], Vec::new());
        assert!(report.wrong.len() == 1 && report.wrong[0].contains("is not linearizable"), "{report}");
    }

    #[test]
    fn a_message_that_was_lost_is_found_out() {
        let report = judged("lost-message", &[FIRST, SENT, ("trails.txt", ""), PROBES], Vec::new());
        assert!(report.wrong.len() == 1 && report.wrong[0].contains("lost: message 1"), "{report}");
    }

    #[test]
    fn a_run_in_which_hardly_anything_was_answered_is_wrong() {
        let refused = ("n1.1.trail", "10 n1.1-0 trail-0 1 invoke\n20 n1.1-0 trail-0 1 unknown\n");
        let report = judged("refused", &[FIRST, refused, ("trails.txt", ""), PROBES], Vec::new());
        assert!(report.wrong.len() == 1 && report.wrong[0].contains("unanswered: trails"), "{report}");
        assert_eq!(judged("nothing", &[], Vec::new()).wrong.len(), 3, "nothing was called at all");

        let table = [((0, 0), true), ((9, 0), true), ((9, 1), false), ((1_000, 100), false), ((1_000, 99), true)];
        for ((all, answered), expected) in table {
            assert_eq!(!unanswered(&[("probes", all, answered)]).is_empty(), expected, "{answered} of {all}");
        }
    }

    #[test]
    fn a_killed_node_from_which_nobody_takes_over_in_time_is_found_out() {
        let broken = |at_once| {
            let fault = Fault::Kill { node: 0, at_once };
            vec![Broken { fault, process: "n1.1".to_owned(), from: 1_000_000, until: 4_000_000 }]
        };
        // A lease, its tenth and the slack: 11.1 s, up to which the name may be silent, and from there up to the end.
        let probes = |answered: u64| {
            format!(
                "900 1000 n2.1 probe-0 ok\n5000000 {answered} n2.1 probe-0 ok\n19000000 {END} n2.1 probe-0 failed\n"
            )
        };
        for (answered, at_once, expected) in [(12_100_000, false, 0), (12_100_001, false, 1), (12_100_001, true, 0)] {
            let probes = probes(answered);
            let report = judged(
                &format!("silent-{answered}-{at_once}"),
                &[FIRST, SENT, READ, ("n2.1.probes", &probes)],
                broken(at_once),
            );
            assert_eq!(report.wrong.len(), expected, "{report}");
            assert!(report.wrong.iter().all(|wrong| wrong.contains("silent: node 1: kill at 1.0s")), "{report}");
        }
    }
}
