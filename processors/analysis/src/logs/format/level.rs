//! Words and numbers for severities, in the numbers of OpenTelemetry.

/// How bad a line says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level<'a> {
    /// OpenTelemetry's number, 1 (`TRACE`) to 24 (`FATAL4`).
    pub(super) number: u8,
    /// The word that the line has; for letters and numbers the usual word.
    pub(super) text: &'a str,
}

/// The severity that a word names, in any case: OpenTelemetry's example mappings
/// (<https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings>).
pub(super) fn of_word(word: &str) -> Option<Level<'_>> {
    let mut buffer = [0; 13];
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    let number = match &*lower {
        b"trace" | b"trc" | b"finest" | b"verbose" | b"vrb" => 1,
        b"debug" | b"dbg" | b"dbug" | b"finer" | b"debug1" => 5,
        b"fine" | b"debug2" => 6,
        b"config" | b"debug3" => 7,
        b"info" | b"inf" | b"information" | b"informational" => 9,
        b"notice" | b"success" => 10,
        b"warn" | b"warning" | b"wrn" => 13,
        b"error" | b"err" | b"eror" | b"severe" | b"failure" => 17,
        b"critical" | b"crit" | b"crt" | b"dpanic" => 18,
        b"alert" | b"panic" => 19,
        b"fatal" | b"ftl" | b"emerg" | b"emergency" => 21,
        _ => return None,
    };
    Some(Level { number, text: word })
}

/// The severity that a letter stands for, as in klog and Android's log.
pub(super) const fn of_letter(letter: u8) -> Option<Level<'static>> {
    match letter {
        b'T' | b'V' => Some(usual(1)),
        b'D' => Some(usual(5)),
        b'I' => Some(usual(9)),
        b'W' => Some(usual(13)),
        b'E' => Some(usual(17)),
        b'F' | b'A' => Some(usual(21)),
        _ => None,
    }
}

/// The severity of pino's and bunyan's 10 to 60.
pub(super) const fn of_number(number: u64) -> Option<Level<'static>> {
    match number {
        10 => Some(usual(1)),
        20 => Some(usual(5)),
        30 => Some(usual(9)),
        40 => Some(usual(13)),
        50 => Some(usual(17)),
        60 => Some(usual(21)),
        _ => None,
    }
}

/// The severity in a syslog priority.
pub(super) const fn of_syslog(priority: u8) -> Level<'static> {
    match priority & 7 {
        0 => Level { number: 21, text: "emerg" },
        1 => Level { number: 19, text: "alert" },
        2 => Level { number: 18, text: "crit" },
        3 => Level { number: 17, text: "err" },
        4 => Level { number: 13, text: "warning" },
        5 => Level { number: 10, text: "notice" },
        6 => Level { number: 9, text: "info" },
        _ => Level { number: 5, text: "debug" },
    }
}

/// The severity with that number, under its usual name. `number` is 1 to 24.
pub(super) const fn usual(number: u8) -> Level<'static> {
    let text = match number {
        ..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21.. => "FATAL",
    };
    Level { number, text }
}
