//! The check of what was appended: everything that was answered is there, nothing is there twice or that had no effect,
//! and what one handle sent stands in the order of its sending.

use std::{collections::HashMap, fmt, str::FromStr};

use dna_core::testing::history::Ended;

/// One message of one handle: the handle's name, its trail, and its number. A handle's numbers rise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) handle: String,
    pub(crate) trail: String,
    pub(crate) number: u64,
}

/// The beginning or the end of a message, as a line: `17 n1.1-0 trail-0 3 invoke`, and `ok`, `not-applied` or `unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) stamp: u64,
    pub(crate) message: Message,
    /// None at its beginning. The value of an answer is of no interest.
    pub(crate) ended: Option<Ended>,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { stamp, message: Message { handle, trail, number }, ended } = self;
        let step = match ended {
            None => "invoke",
            Some(Ended::Ok(_)) => "ok",
            Some(Ended::NotApplied) => "not-applied",
            Some(Ended::Unknown) => "unknown",
        };
        write!(f, "{stamp} {handle} {trail} {number} {step}")
    }
}

impl FromStr for Sent {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let parse = || {
            let [stamp, handle, trail, number, step] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
            let ended = match step {
                "invoke" => None,
                "ok" => Some(Ended::Ok(0)),
                "not-applied" => Some(Ended::NotApplied),
                "unknown" => Some(Ended::Unknown),
                _ => return None,
            };
            let (handle, trail) = (handle.to_owned(), trail.to_owned());
            let message = Message { handle, trail, number: number.parse().ok()? };
            Some(Sent { stamp: stamp.parse().ok()?, message, ended })
        };
        parse().ok_or_else(|| format!("`{line}` is neither the beginning nor the end of a message"))
    }
}

/// What is wrong with the trails, as they were read in the end: all of it.
pub(crate) fn check(sent: &[Sent], read: &[Message]) -> Vec<String> {
    let mut wrong = Vec::new();
    // What became of each message: unknown until its end is met.
    let mut fates = HashMap::<&Message, Ended>::new();
    for Sent { message, ended, .. } in sent {
        let fate = fates.entry(message).or_insert(Ended::Unknown);
        *fate = ended.unwrap_or(*fate);
    }
    let mut found = HashMap::<&Message, u64>::new();
    let mut last = HashMap::<(&str, &str), u64>::new();
    for message in read {
        let Message { handle, trail, number } = message;
        let times = found.entry(message).or_default();
        *times += 1;
        if *times == 2 {
            wrong.push(format!("doubled: message {number} of {handle} is in {trail} more than once"));
        }
        match fates.get(message) {
            None => wrong.push(format!("made up: message {number} of {handle}, in {trail}, was never sent")),
            Some(Ended::NotApplied) => {
                wrong
                    .push(format!("message {number} of {handle} is in {trail}, though it had no effect by its answer"));
            }
            Some(Ended::Ok(_) | Ended::Unknown) => {}
        }
        let last = last.entry((handle, trail)).or_default();
        if *last > *number {
            wrong.push(format!("out of order: message {number} of {handle} is in {trail} behind its message {last}"));
        }
        *last = *number;
    }
    let answered = fates.iter().filter(|(_, fate)| matches!(fate, Ended::Ok(_)));
    let lost = answered.filter(|(message, _)| !found.contains_key(*message));
    let mut lost = lost.map(|(message, _)| *message).collect::<Vec<_>>();
    lost.sort_by_key(|message| (&message.handle, message.number));
    for Message { handle, trail, number } in lost {
        wrong.push(format!("lost: message {number} of {handle} was answered, and is not in {trail}"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 8] = [
        "10 n1-0 trail-0 1 invoke",
        "11 n1-0 trail-0 2 invoke",
        "12 n1-0 trail-0 3 invoke",
        "13 n1-0 trail-0 4 invoke",
        "14 n1-0 trail-0 1 ok",
        "15 n1-0 trail-0 2 not-applied",
        "16 n1-0 trail-0 3 unknown",
        "17 n1-0 trail-0 4 ok",
    ];

    fn found(numbers: &[u64]) -> Vec<String> {
        let sent = LINES.map(|line| line.parse::<Sent>().unwrap());
        let read = |&number: &u64| Message { handle: "n1-0".to_owned(), trail: "trail-0".to_owned(), number };
        check(&sent, &numbers.iter().map(read).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        for line in LINES {
            assert_eq!(line.parse::<Sent>().unwrap().to_string(), line);
        }
        for line in ["", "10 n1-0 trail-0 1", "10 n1-0 trail-0 1 o", "x n1-0 trail-0 1 ok"] {
            assert!(line.parse::<Sent>().is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_in_doubt_may_be_there_or_not() {
        assert!(found(&[1, 4]).is_empty());
        assert!(found(&[1, 3, 4]).is_empty());
    }

    #[test]
    fn what_is_lost_doubled_made_up_out_of_order_or_without_effect_is_found_out() {
        for (numbers, expected) in [
            (&[1][..], "lost: message 4"),
            (&[1, 4, 4], "doubled: message 4"),
            (&[1, 4, 5], "made up: message 5"),
            (&[4, 1], "out of order: message 1 of n1-0 is in trail-0 behind its message 4"),
            (&[1, 2, 4], "message 2 of n1-0 is in trail-0, though it had no effect"),
        ] {
            let wrong = found(numbers);
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].contains(expected), "{wrong:?}");
        }
    }
}
