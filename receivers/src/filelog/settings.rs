//! The configuration in the form in which reading needs it.

use std::time::Duration;

use component::{Counter, Telemetry};
use regex::bytes::{Regex, RegexBuilder};

use super::config::{Compression, Config, StartAt};
use super::encoding::Encoding;
use super::split::{Boundary, Splitter};

/// What reading needs to know.
pub(super) struct Settings {
    /// The configuration itself.
    pub(super) config: Config,
    /// Cuts bytes into records.
    pub(super) splitter: Splitter,
    /// Whether records carry their number.
    pub(super) include_record_number: bool,
    /// Whether records carry their place.
    pub(super) include_record_offset: bool,
    /// After this long what is incomplete at the end of a file is complete; never if it is zero.
    pub(super) force_flush: Duration,
    /// How many of a file's first bytes identify it.
    pub(super) head_len: usize,
    /// What is counted.
    pub(super) counters: Counters,
}

/// What is counted.
pub(super) struct Counters {
    /// Records that were cut because they were too long.
    pub(super) cut: Counter,
    /// Files that could not be read.
    pub(super) unreadable: Counter,
    /// Files that were truncated or written anew.
    pub(super) rewritten: Counter,
    /// Files that were deleted before they could be read to their end.
    pub(super) lost: Counter,
}

impl Counters {
    fn new(telemetry: &Telemetry, receiver: &str) -> Self {
        let counter = |name: &str, help: &str| telemetry.counter(name, help, &[("receiver", receiver)]);
        Self {
            cut: counter(
                "otelcol_fileconsumer_cut_records",
                "Records that were cut because they were too long.",
            ),
            unreadable: counter("otelcol_fileconsumer_unreadable_files", "Files that could not be read."),
            rewritten: counter(
                "otelcol_fileconsumer_rewritten_files",
                "Files that were truncated or written anew.",
            ),
            lost: counter(
                "otelcol_fileconsumer_lost_files",
                "Files that were gone before they could be read to their end.",
            ),
        }
    }
}

impl Settings {
    /// From a configuration that has been validated.
    ///
    /// # Errors
    /// If a pattern is malformed.
    pub(super) fn new(config: Config, telemetry: &Telemetry, receiver: &str) -> Result<Self, regex::Error> {
        Ok(Self {
            splitter: Splitter {
                boundary: boundary(&config)?,
                max_len: config.max_log_size.as_usize(),
                encoding: config.encoding,
            },
            include_record_number: config.include_file_record_number,
            include_record_offset: config.include_file_record_offset,
            force_flush: config.force_flush_period.get(),
            head_len: config.fingerprint_size.as_usize(),
            counters: Counters::new(telemetry, receiver),
            config,
        })
    }

    /// Whether the file with this name is compressed.
    pub(super) fn is_gzip(&self, path: &std::path::Path) -> bool {
        match self.config.compression {
            Compression::None => false,
            Compression::Gzip => true,
            Compression::Auto => path.extension().is_some_and(|extension| extension == "gz"),
        }
    }

    /// Whether what was there before the first round is left out.
    pub(super) fn starts_at_end(&self) -> bool {
        self.config.start_at == StartAt::End
    }

    /// Without the white space around it that is not wanted.
    pub(super) fn trim<'a>(&self, mut text: &'a str) -> &'a str {
        const BLANK: [char; 4] = ['\r', '\n', '\t', ' '];
        if !self.config.preserve_leading_whitespaces {
            text = text.trim_start_matches(BLANK);
        }
        if !self.config.preserve_trailing_whitespaces {
            text = text.trim_end_matches(BLANK);
        }
        text
    }

    /// As [`Settings::trim`], for bytes.
    pub(super) fn trim_bytes<'a>(&self, mut bytes: &'a [u8]) -> &'a [u8] {
        const fn is_blank(byte: u8) -> bool {
            matches!(byte, b'\r' | b'\n' | b'\t' | b' ')
        }
        if !self.config.preserve_leading_whitespaces {
            while let [first, rest @ ..] = bytes
                && is_blank(*first)
            {
                bytes = rest;
            }
        }
        if !self.config.preserve_trailing_whitespaces {
            while let [rest @ .., last] = bytes
                && is_blank(*last)
            {
                bytes = rest;
            }
        }
        bytes
    }
}

fn boundary(config: &Config) -> Result<Boundary, regex::Error> {
    let multiline = &config.multiline;
    let omit = multiline.omit_pattern;
    if !multiline.line_start_pattern.is_empty() {
        return Ok(Boundary::Start { pattern: pattern(&multiline.line_start_pattern)?, omit });
    }
    if !multiline.line_end_pattern.is_empty() {
        return Ok(Boundary::End { pattern: pattern(&multiline.line_end_pattern)?, omit });
    }
    Ok(match config.encoding {
        Encoding::Nop => Boundary::None,
        Encoding::Utf16Be => Boundary::Newline16 { big_endian: true },
        Encoding::Utf16Le => Boundary::Newline16 { big_endian: false },
        Encoding::Utf8 | Encoding::Ascii | Encoding::Latin1 => Boundary::Newline,
    })
}

/// As the collector compiles it: `^` and `$` match at every line.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&config::re2(text)).multi_line(true).build()
}
