//! What status codes, exit codes, signals and error numbers say.
//!
//! In: numbers of a message with the words before them, or numbers that came as attributes. Out: evidence.

use super::Class::{
    AuthDenied, CrashPanic, DataCorruption, DependencyUnavailable, RateLimitQuota, ResourceDisk,
    ResourceLimit, ResourceMemory, Restart, Timeout,
};
use super::Strength::{Certain, Hint, Likely, Strong};
use super::evidence::Evidence;
use super::lexicon::LEXICON;
use crate::identity::Identity;
use crate::logs::words::{Number, Words, errno_text};

/// Codes that came beside a message, as attributes of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The HTTP status code.
    pub http_status: Option<u32>,
    /// The gRPC status code.
    pub grpc_status: Option<u32>,
    /// The exit code of a process.
    pub exit_code: Option<u32>,
    /// A Linux error number.
    pub errno: Option<u32>,
}

impl Parameters {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Continues an identity with them.
    pub(super) fn identify(&self, identity: Identity) -> Identity {
        [self.http_status, self.grpc_status, self.exit_code, self.errno]
            .into_iter()
            .fold(identity, |identity, code| identity.number(code.map_or(u64::MAX, u64::from)))
    }

    /// Adds what they say.
    pub(super) fn read(&self, evidence: &mut Evidence) {
        let codes = [
            (self.http_status, Code::Http as fn(u32) -> Code),
            (self.grpc_status, Code::Grpc),
            (self.exit_code, Code::Exit),
            (self.errno, Code::Errno),
        ];
        for (value, code) in codes {
            if let Some(value) = value {
                code(value).read(evidence);
            }
        }
    }
}

/// A number that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Http(u32),
    Grpc(u32),
    Exit(u32),
    Signal(u32),
    Errno(u32),
}

/// Adds what the codes in a message say.
pub(super) fn read(words: &Words, evidence: &mut Evidence) {
    for code in of(words) {
        code.read(evidence);
    }
}

/// The codes in a message, in order.
pub(super) fn of(words: &Words) -> impl Iterator<Item = Code> {
    words.numbers().iter().filter_map(|number| in_context(words.text(), *number))
}

/// What a number is, by the words before it.
fn in_context(text: &str, number: Number) -> Option<Code> {
    let mut before = text[..number.at].rsplit(' ').filter(|word| !word.is_empty());
    let last = before.next()?;
    let second = before.next().unwrap_or_default();
    let third = before.next().unwrap_or_default();
    let value = number.value;
    match (last, second) {
        ("code" | "status", "grpc") => Some(Code::Grpc(value)),
        ("code" | "status", "exit" | "exited" | "exits") | ("exit" | "exitcode", _) if value < 256 => {
            Some(Code::Exit(value))
        }
        ("code" | "status", "with") if matches!(third, "exited" | "terminated" | "died") && value < 256 => {
            Some(Code::Exit(value))
        }
        ("signal", _) if value <= 64 => Some(Code::Signal(value)),
        ("errno", _) | ("error", "os") | ("number", "error") => Some(Code::Errno(value)),
        ("http" | "status" | "code" | "statuscode" | "response" | "returned" | "received" | "got", _)
            if (400..600).contains(&value) =>
        {
            Some(Code::Http(value))
        }
        _ => None,
    }
}

impl Code {
    /// Continues an identity with it.
    pub(super) fn identify(self, identity: Identity) -> Identity {
        let (kind, value) = match self {
            Self::Http(value) => (1, value),
            Self::Grpc(value) => (2, value),
            Self::Exit(value) => (3, value),
            Self::Signal(value) => (4, value),
            Self::Errno(value) => (5, value),
        };
        identity.number(kind << 32 | u64::from(value))
    }

    fn read(self, evidence: &mut Evidence) {
        match self {
            Self::Http(status) => http(status, evidence),
            Self::Grpc(status) => grpc(status, evidence),
            Self::Exit(code) => exit(code, evidence),
            Self::Signal(signal) => killed_by(signal, evidence),
            // 1 and 2 are too common to mean much, and also what `[Errno -2]` of the resolver looks like.
            Self::Errno(number) if number > 2 => {
                if let Some(text) = errno_text(number) {
                    LEXICON.read(&format!(" {text} "), evidence);
                }
            }
            Self::Errno(_) => {}
        }
    }
}

fn http(status: u32, evidence: &mut Evidence) {
    match status {
        401 | 403 | 407 => evidence.add(AuthDenied, Strong),
        408 => evidence.add(Timeout, Strong),
        429 => evidence.add(RateLimitQuota, Certain),
        502 | 503 => evidence.add(DependencyUnavailable, Certain),
        504 => {
            evidence.add(Timeout, Certain);
            evidence.add(DependencyUnavailable, Strong);
        }
        507 => evidence.add(ResourceDisk, Strong),
        _ => {}
    }
}

fn grpc(status: u32, evidence: &mut Evidence) {
    match status {
        4 => evidence.add(Timeout, Certain),
        7 | 16 => evidence.add(AuthDenied, Certain),
        8 => evidence.add(RateLimitQuota, Strong),
        14 => evidence.add(DependencyUnavailable, Certain),
        15 => evidence.add(DataCorruption, Strong),
        _ => {}
    }
}

fn exit(code: u32, evidence: &mut Evidence) {
    match code {
        0 => evidence.weaken(CrashPanic, 4.0),
        // A shell adds 128 to the signal.
        129..=192 => killed_by(code - 128, evidence),
        _ => evidence.add(CrashPanic, Likely),
    }
}

fn killed_by(signal: u32, evidence: &mut Evidence) {
    match signal {
        // Illegal instruction, trap, abort, bus error, arithmetic, segmentation fault, bad system call.
        4 | 5 | 6 | 7 | 8 | 11 | 31 => evidence.add(CrashPanic, Certain),
        9 => {
            evidence.add(CrashPanic, Strong);
            evidence.add(ResourceMemory, Hint);
        }
        15 => evidence.add(Restart, Likely),
        24 | 25 => evidence.add(ResourceLimit, Strong),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(message: &str) -> Vec<Code> {
        of(&Words::of(message)).collect()
    }

    #[test]
    fn numbers_are_codes_where_the_words_before_them_say_so() {
        assert_eq!(codes("\"GET /x HTTP/1.1\" 503 190"), [Code::Http(503)]);
        assert_eq!(codes("status=429 took 503 ms"), [Code::Http(429)]);
        assert_eq!(codes("exited with code 137"), [Code::Exit(137)]);
        assert_eq!(codes("exit status 1, got signal 11"), [Code::Exit(1), Code::Signal(11)]);
        assert_eq!(codes("grpc_status=14 (os error 111)"), [Code::Grpc(14), Code::Errno(111)]);
        assert_eq!(codes("port 503, status 200"), []);
    }

    #[test]
    fn attributes_say_the_same() {
        let mut evidence = Evidence::default();
        let parameters = Parameters {
            http_status: Some(429),
            exit_code: Some(139),
            errno: Some(28),
            ..Parameters::default()
        };
        parameters.read(&mut evidence);
        for class in [RateLimitQuota, CrashPanic, ResourceDisk] {
            assert!(evidence.probability(class) > 0.5, "{class}");
        }
    }
}
