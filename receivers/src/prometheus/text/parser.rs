//! Reads a body line by line.

use std::borrow::Cow;

use super::{Entry, Exemplar, Format, LabelPairs, MetricType, ParseError, Problem, Sample, number};

/// Reads one body.
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    rest: &'a str,
    line: usize,
    format: Format,
    ended: bool,
}

impl<'a> Parser<'a> {
    /// A parser for `body`.
    ///
    /// # Errors
    /// If the body is not UTF-8.
    pub fn new(body: &'a [u8], format: Format) -> Result<Self, ParseError> {
        let rest = std::str::from_utf8(body).map_err(|error| {
            let line = 1 + memchr::memchr_iter(b'\n', &body[..error.valid_up_to()]).count();
            ParseError { line, problem: Problem::NotUtf8 }
        })?;
        Ok(Self { rest, line: 0, format, ended: false })
    }

    /// The number of the line that was read last, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The next entry, `None` at the end. If it is a sample, `labels` are its labels afterwards.
    ///
    /// # Errors
    /// If a line is malformed. Reading may go on with the next line.
    pub fn read(&mut self, labels: &mut LabelPairs<'a>) -> Result<Option<Entry<'a>>, ParseError> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest.as_bytes()).unwrap_or(self.rest.len());
            let text = &self.rest[..end];
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            self.line += 1;
            if let Some(entry) = self.parse_line(text, labels).map_err(|problem| self.error(problem))? {
                return Ok(Some(entry));
            }
        }
        if self.format == Format::OpenMetrics && !self.ended {
            self.ended = true;
            return Err(self.error(Problem::NoEof));
        }
        Ok(None)
    }

    const fn error(&self, problem: Problem) -> ParseError {
        ParseError { line: self.line, problem }
    }

    fn parse_line(
        &mut self,
        text: &'a str,
        labels: &mut LabelPairs<'a>,
    ) -> Result<Option<Entry<'a>>, Problem> {
        let mut line = Line { text, at: 0 };
        line.skip_blanks();
        match line.peek() {
            None => Ok(None),
            Some(_) if self.ended => Err(Problem::AfterEof),
            Some(b'#') => {
                line.at += 1;
                self.parse_comment(line)
            }
            Some(_) => line.sample(self.format, labels).map(|sample| Some(Entry::Sample(sample))),
        }
    }

    fn parse_comment(&mut self, mut line: Line<'a>) -> Result<Option<Entry<'a>>, Problem> {
        line.skip_blanks();
        let keyword = line.token();
        if self.format == Format::OpenMetrics && keyword == "EOF" {
            self.ended = true;
            return line.end().map(|()| None);
        }
        if !matches!(keyword, "TYPE" | "HELP" | "UNIT") {
            return Ok(None);
        }
        line.skip_blanks();
        let name = match line.peek() {
            Some(b'"') => line.quoted()?,
            _ => Cow::Borrowed(line.name().ok_or(Problem::ExpectedName)?),
        };
        line.skip_blanks();
        Ok(Some(match keyword {
            "TYPE" => {
                let kind = MetricType::parse(line.token()).ok_or(Problem::BadType)?;
                line.end()?;
                Entry::Type { name, kind }
            }
            "UNIT" => {
                let unit = line.token();
                line.end()?;
                Entry::Unit { name, unit }
            }
            _ => Entry::Help { name, text: unescape_help(line.rest(), self.format) },
        }))
    }
}

/// A help text's escapes: backslash and line feed, and in OpenMetrics the quote too.
fn unescape_help(text: &str, format: Format) -> Cow<'_, str> {
    let text = text.trim_end_matches('\r');
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        Cow::Borrowed(text)
    } else {
        unescape(text, format)
    }
}

fn unescape(text: &str, format: Format) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if format == Format::OpenMetrics => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

/// What bytes of names may be.
const START: u8 = 1;
const COLON: u8 = 2;
const DIGIT: u8 = 4;
const NAME_BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => START,
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// A line and how far it was read.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The line must end here.
    fn end(&mut self) -> Result<(), Problem> {
        self.skip_blanks();
        if self.peek().is_none() { Ok(()) } else { Err(Problem::TrailingText) }
    }

    /// Everything up to the next blank.
    fn token(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| matches!(byte, b' ' | b'\t' | b'\r')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A name whose first byte is of the class `first` and whose others are of the class `others`.
    fn word(&mut self, first: u8, others: u8) -> Option<&'a str> {
        let bytes = &self.text.as_bytes()[self.at..];
        if NAME_BYTES[usize::from(*bytes.first()?)] & first == 0 {
            return None;
        }
        let end = bytes.iter().position(|byte| NAME_BYTES[usize::from(*byte)] & others == 0);
        let end = self.at + end.unwrap_or(bytes.len());
        let word = self.text.get(self.at..end);
        self.at = end;
        word
    }

    fn name(&mut self) -> Option<&'a str> {
        self.word(START | COLON, START | COLON | DIGIT)
    }

    /// A quoted string; the opening quote is next.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Problem> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let bytes = self.text.as_bytes().get(at..).unwrap_or_default();
            at += memchr::memchr2(b'"', b'\\', bytes).ok_or(Problem::Unterminated)?;
            if self.text.as_bytes()[at] == b'"' {
                break;
            }
            escaped = true;
            at += 2;
        }
        self.at = at + 1;
        let inner = self.text.get(start..at).ok_or(Problem::Unterminated)?;
        Ok(if escaped { unescape(inner, Format::OpenMetrics) } else { Cow::Borrowed(inner) })
    }

    fn sample(mut self, format: Format, labels: &mut LabelPairs<'a>) -> Result<Sample<'a>, Problem> {
        labels.clear();
        let mut name = self.name().map(Cow::Borrowed);
        self.skip_blanks();
        if self.eat(b'{') {
            self.labels(labels, &mut name)?;
        } else if name.is_none() {
            return Err(Problem::ExpectedName);
        }
        let name = name.ok_or(Problem::NoName)?;
        self.skip_blanks();
        let value = number::value(self.token()).ok_or(Problem::BadValue)?;
        self.skip_blanks();
        let timestamp = match self.peek() {
            None | Some(b'#') => None,
            Some(_) => Some(self.timestamp(format)?),
        };
        self.skip_blanks();
        let exemplar = match self.peek() {
            Some(b'#') if format == Format::OpenMetrics => Some(self.exemplar()?),
            _ => None,
        };
        self.end()?;
        Ok(Sample { name, value, timestamp, exemplar })
    }

    fn timestamp(&mut self, format: Format) -> Result<i64, Problem> {
        let token = self.token();
        match format {
            Format::Classic => number::milliseconds(token),
            Format::OpenMetrics => number::seconds(token),
        }
        .ok_or(Problem::BadTimestamp)
    }

    /// Labels up to and with the closing brace. A quoted string without a value is the metric's name.
    fn labels(
        &mut self,
        labels: &mut LabelPairs<'a>,
        name: &mut Option<Cow<'a, str>>,
    ) -> Result<(), Problem> {
        let mut sorted = true;
        loop {
            self.skip_blanks();
            if self.eat(b'}') {
                break;
            }
            let (key, is_quoted) = match self.peek() {
                Some(b'"') => (self.quoted()?, true),
                _ => {
                    let word = self.word(START, START | DIGIT).ok_or(Problem::ExpectedLabelName)?;
                    (Cow::Borrowed(word), false)
                }
            };
            self.skip_blanks();
            if self.eat(b'=') {
                self.skip_blanks();
                if self.peek() != Some(b'"') {
                    return Err(Problem::ExpectedLabelValue);
                }
                let value = self.quoted()?;
                sorted &= labels.last().is_none_or(|(last, _)| *last < key);
                labels.push((key, value));
            } else if is_quoted && name.is_none() {
                *name = Some(key);
            } else {
                return Err(Problem::ExpectedLabelValue);
            }
            self.skip_blanks();
            if !self.eat(b',') && self.peek() != Some(b'}') {
                return Err(Problem::ExpectedLabelEnd);
            }
        }
        if !sorted {
            labels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(Problem::DuplicateLabel);
            }
        }
        Ok(())
    }

    fn exemplar(&mut self) -> Result<Box<Exemplar<'a>>, Problem> {
        self.at += 1;
        self.skip_blanks();
        if !self.eat(b'{') {
            return Err(Problem::BadExemplar);
        }
        let mut labels = LabelPairs::new();
        let mut name = None;
        self.labels(&mut labels, &mut name)?;
        if name.is_some() {
            return Err(Problem::BadExemplar);
        }
        self.skip_blanks();
        let value = number::value(self.token()).ok_or(Problem::BadExemplar)?;
        self.skip_blanks();
        let timestamp = match self.peek() {
            None => None,
            Some(_) => Some(self.timestamp(Format::OpenMetrics)?),
        };
        Ok(Box::new(Exemplar { labels, value, timestamp }))
    }
}
