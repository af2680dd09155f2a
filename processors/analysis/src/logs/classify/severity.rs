//! How bad a message says it is.

use super::ClassSet;

/// How bad a message says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It does not say.
    #[default]
    Unknown,
    /// Of interest to a developer at most.
    Debug,
    /// Business as usual.
    Info,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
}

impl Severity {
    /// By OpenTelemetry's number; `text` is asked if there is none, then the start of the message.
    pub fn of(number: i32, text: &str, message: &str) -> Self {
        match number {
            17.. => Self::Error,
            13..=16 => Self::Warning,
            9..=12 => Self::Info,
            1..=8 => Self::Debug,
            _ => {
                let stated = Self::of_word(text);
                if stated == Self::Unknown { Self::in_message(message) } else { stated }
            }
        }
    }

    fn of_word(word: &str) -> Self {
        let starts =
            |name: &str| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if ["err", "fatal", "crit", "emerg", "alert", "panic", "severe"].iter().any(|name| starts(name)) {
            Self::Error
        } else if starts("warn") {
            Self::Warning
        } else if starts("info") || starts("notice") {
            Self::Info
        } else if starts("debug") || starts("trace") {
            Self::Debug
        } else {
            Self::Unknown
        }
    }

    /// A level near the start, as in `2026-11-24 10:00:00 ERROR ...`, `level=warn` or `[info]`.
    fn in_message(message: &str) -> Self {
        let words = message.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut after_level = false;
        for word in words.take(12) {
            let level = after_level || word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            if level && word.len() <= 9 {
                let severity = Self::of_word(word);
                if severity != Self::Unknown {
                    return severity;
                }
            }
            after_level = matches!(word, "level" | "lvl" | "severity");
        }
        Self::Unknown
    }

    /// Shifts what was found: an error is about a problem more often than information is.
    pub(super) fn weigh(self, evident: ClassSet, log_odds: &mut [f32]) {
        let shift = match self {
            Self::Unknown => 0.0,
            Self::Debug => -1.0,
            Self::Info => -0.5,
            Self::Warning => 0.4,
            Self::Error => 0.8,
        };
        for class in evident.iter().filter(|class| class.is_problem()) {
            if let Some(log_odds) = log_odds.get_mut(class as usize) {
                *log_odds += shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_believed_before_the_text_and_the_text_before_the_message() {
        assert_eq!(Severity::of(17, "info", "DEBUG x"), Severity::Error);
        assert_eq!(Severity::of(0, "Warning", "ERROR x"), Severity::Warning);
        assert_eq!(Severity::of(0, "", "10:00:00 ERROR x"), Severity::Error);
        assert_eq!(Severity::of(0, "", "ts=1 level=warn msg=x"), Severity::Warning);
        assert_eq!(Severity::of(0, "", "an error of judgement"), Severity::Unknown);
    }
}
