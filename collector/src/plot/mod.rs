//! A series as a picture: the line, its usual range, what was reported, what was labelled, and the score below.
//!
//! In: a [`Trace`] and what is to be marked in it. Out: one SVG without scripts or fonts of its own, readable on light and dark ground; what
//! is marked says its sentence when pointed at.

mod axis;
mod path;
#[cfg(test)]
mod tests;
mod trace;

use std::fmt::Write as _;

use pdata::Timestamp;

use self::path::Path;
use self::trace::Bucket;
pub(crate) use self::trace::{Point, Trace};
use crate::words;

/// Where things are, in pixels: the picture, the line, and the score below it.
const WIDTH: f64 = 1120.0;
const HEIGHT: f64 = 338.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 1104.0;
const MAIN: (f64, f64) = (58.0, 248.0);
const SCORE: (f64, f64) = (264.0, 306.0);
/// How wide a mark is at least: something to point at.
const LEAST_MARK: f64 = 3.0;
/// After so many usual distances without a point the line is interrupted.
const GAP: f64 = 8.0;
/// The score of one point in a thousand. Reports do not follow it: they ask how far out a point is, and for how long.
const RARE: f64 = 0.5;
/// How much of a title fits.
const TITLE: usize = 100;

const STYLE: &str = "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#57606a}\
.title{font-size:15px;font-weight:600;fill:#1f2328}.end{text-anchor:end}.mid{text-anchor:middle}\
.paper{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}.limit{stroke:#8c959f;stroke-dasharray:3 3}\
.line,.bad{fill:none;stroke:#2f6fde;stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round;pointer-events:none}\
.bad{stroke:#cf222e;stroke-width:1.8}.usual{fill:#2f6fde;fill-opacity:.15;pointer-events:none}\
.odd{fill:#cf222e;fill-opacity:.14}.label{fill:#d4a72c;fill-opacity:.28}.strip{fill:#bf8700}\
.score{fill:#8c959f;fill-opacity:.55}.high{fill:#cf222e;fill-opacity:.8}\
@media(prefers-color-scheme:dark){text{fill:#8d96a0}.title{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#2d333b}\
.limit{stroke:#6e7681}.line{stroke:#6cb0ff}.bad{stroke:#ff7b72}.usual{fill:#6cb0ff;fill-opacity:.18}.odd{fill:#ff7b72;fill-opacity:.18}\
.label{fill:#e3b341;fill-opacity:.2}.strip{fill:#e3b341}.score{fill:#6e7681;fill-opacity:.8}.high{fill:#ff7b72}}";

/// A stretch of time to be marked.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// When it begins.
    pub(crate) begin: Timestamp,
    /// When it ends.
    pub(crate) end: Timestamp,
    /// What it says when it is pointed at.
    pub(crate) text: String,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plot<'a> {
    /// What the series is called.
    pub(crate) title: &'a str,
    /// Its unit (UCUM); empty if nobody knows.
    pub(crate) unit: &'a str,
    /// The series.
    pub(crate) trace: &'a Trace,
    /// What was reported.
    pub(crate) anomalies: &'a [Mark],
    /// What is known to be out of the ordinary.
    pub(crate) labels: &'a [Mark],
}

impl Plot<'_> {
    /// Draws it.
    pub(crate) fn svg(&self) -> String {
        let columns = Scale::new(self.trace).columns(self.trace.buckets());
        let scale = Scale { values: range(&columns), ..Scale::new(self.trace) };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n",
            escaped(self.title)
        );
        self.clips(&scale, &mut svg);
        self.header(&mut svg);
        self.grid(&scale, &mut svg);
        for label in self.labels {
            scale.mark(label, "label", MAIN, &mut svg);
            scale.mark(label, "strip", (MAIN.0 - 5.0, MAIN.0), &mut svg);
        }
        tag(&mut svg, "usual", "main", &usual(&columns, &scale));
        for anomaly in self.anomalies {
            scale.mark(anomaly, "odd", (MAIN.0, SCORE.1), &mut svg);
        }
        let line = line(&columns, &scale);
        tag(&mut svg, "line", "main", &line);
        if !self.anomalies.is_empty() {
            tag(&mut svg, "bad", "odd", &line);
        }
        let score = score(&columns, &scale);
        tag(&mut svg, "score", "low", &score);
        tag(&mut svg, "high", "high", &score);
        svg + "</svg>\n"
    }

    /// Which parts of the picture belong to what.
    fn clips(&self, scale: &Scale, svg: &mut String) {
        let area = |id: &str, top: f64, bottom: f64| {
            let (width, height) = (RIGHT - LEFT, bottom - top);
            format!(
                "<clipPath id=\"{id}\"><rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/></clipPath>\n"
            )
        };
        let limit = scale.score(RARE);
        svg.push_str("<defs>\n");
        svg.push_str(&area("main", MAIN.0, MAIN.1));
        svg.push_str(&area("low", limit, SCORE.1));
        svg.push_str(&area("high", SCORE.0, limit));
        svg.push_str("<clipPath id=\"odd\">");
        for anomaly in self.anomalies {
            let (x, width) = scale.stretch(anomaly);
            let (y, height) = (MAIN.0, MAIN.1 - MAIN.0);
            let _ = write!(svg, "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"/>");
        }
        svg.push_str("</clipPath>\n</defs>\n");
    }

    fn header(&self, svg: &mut String) {
        let title = escaped(&words::fitted(&words::plain(self.title), TITLE));
        let (begin, end) = self.trace.extent();
        let clock = words::Clock::for_times([begin, end, Timestamp::from_secs(1)].into_iter());
        let mut about = format!(
            "{}, {} – {} UTC, {}",
            words::many(self.trace.points(), "point"),
            clock.text(begin),
            clock.text(end),
            match self.anomalies.len() {
                1 => "1 anomaly".to_owned(),
                n => format!("{} anomalies", words::grouped(n as u64)),
            }
        );
        if !self.labels.is_empty() {
            let _ = write!(
                about,
                ", {}",
                words::many(self.labels.len() as u64, "labelled stretch").replace("chs", "ches")
            );
        }
        let _ = writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>");
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"43\">{}</text>", escaped(&about));
        let mut x = RIGHT;
        let legend = [
            ("label", "labelled", !self.labels.is_empty()),
            ("odd", "anomaly", true),
            ("usual", "usual range", true),
        ];
        for (class, name, _) in legend.into_iter().filter(|(.., shown)| *shown) {
            let _ = writeln!(svg, "<text class=\"end\" x=\"{x}\" y=\"43\">{name}</text>");
            x -= 7.0 * name.len() as f64 + 20.0;
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"33\" width=\"14\" height=\"11\" rx=\"2\"/>"
            );
            x -= 16.0;
        }
    }

    fn grid(&self, scale: &Scale, svg: &mut String) {
        let rule = |svg: &mut String, class: &str, y: f64| {
            let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        };
        for (value, name) in axis::values(scale.values.0, scale.values.1, self.unit) {
            let y = scale.y(value);
            rule(svg, "grid", y);
            let (x, y) = (LEFT - 8.0, y + 4.0);
            let _ = writeln!(svg, "<text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escaped(&name));
        }
        for (time, name) in axis::times(scale.times.0, scale.times.1) {
            let x = scale.x(time);
            for (top, bottom) in [MAIN, SCORE] {
                let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>");
            }
            let y = SCORE.1 + 18.0;
            let _ = writeln!(svg, "<text class=\"mid\" x=\"{x:.1}\" y=\"{y}\">{name}</text>");
        }
        rule(svg, "grid", SCORE.1);
        rule(svg, "limit", scale.score(RARE));
        let (x, y) = (LEFT - 8.0, f64::midpoint(SCORE.0, SCORE.1) + 4.0);
        let _ = writeln!(svg, "<text class=\"end\" x=\"{x}\" y=\"{y}\">score</text>");
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\" dx=\"4\" dy=\"-4\">1 in 1,000</text>",
            scale.score(RARE)
        );
    }
}

/// From times and values to pixels.
#[derive(Clone, Copy, Debug)]
struct Scale {
    times: (Timestamp, Timestamp),
    values: (f64, f64),
    /// From this distance in time on the line is interrupted, in nanoseconds.
    gap: f64,
}

/// What falls on one pixel.
#[derive(Clone, Copy, Debug)]
struct Column {
    x: f64,
    bucket: Bucket,
    /// Whether points are missing before it.
    gap: bool,
}

impl Scale {
    fn new(trace: &Trace) -> Self {
        let times = trace.buckets().windows(2).map(|pair| pair[1].time.since(pair[0].time));
        let mut distances: Vec<_> = times.map(|distance| distance.as_nanos() as f64).collect();
        distances.sort_by(f64::total_cmp);
        let usual = distances.get(distances.len() / 2).copied().unwrap_or(0.0);
        Self { times: trace.extent(), values: (0.0, 1.0), gap: GAP * usual }
    }

    fn x(&self, time: Timestamp) -> f64 {
        let span = self.times.1.since(self.times.0).as_secs_f64();
        let passed = time.since(self.times.0).as_secs_f64();
        let share = if span > 0.0 { (passed / span).min(1.0) } else { 0.5 };
        LEFT + share * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        // Far beyond the picture is far enough.
        MAIN.1 - ((value - low) / (high - low)).clamp(-5.0, 5.0) * (MAIN.1 - MAIN.0)
    }

    fn score(&self, score: f64) -> f64 {
        SCORE.1 - score.clamp(0.0, 1.0) * (SCORE.1 - SCORE.0)
    }

    /// Where a mark begins, and how wide it is.
    fn stretch(&self, mark: &Mark) -> (f64, f64) {
        let (begin, end) = (self.x(mark.begin), self.x(mark.end));
        let missing = (LEAST_MARK - (end - begin)).max(0.0);
        (begin - missing / 2.0, end - begin + missing)
    }

    fn mark(&self, mark: &Mark, class: &str, (top, bottom): (f64, f64), svg: &mut String) {
        let ((x, width), height) = (self.stretch(mark), bottom - top);
        let text = escaped(&mark.text);
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"><title>{text}</title></rect>"
        );
    }

    /// One for each pixel at most.
    fn columns(&self, buckets: &[Bucket]) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        let mut before = None;
        for bucket in buckets {
            let x = self.x(bucket.time);
            let gap = before
                .replace(bucket.time)
                .is_none_or(|before: Timestamp| bucket.time.since(before).as_nanos() as f64 > self.gap);
            match columns.last_mut() {
                Some(last) if !gap && last.x.floor() == x.floor() => last.bucket.add(bucket),
                _ => columns.push(Column { x, bucket: *bucket, gap }),
            }
        }
        columns
    }
}

/// The values that are shown: all that were seen, and of the usual range what is not far from them.
fn range(columns: &[Column]) -> (f64, f64) {
    let low = columns.iter().map(|column| column.bucket.least).fold(f64::INFINITY, f64::min);
    let high = columns.iter().map(|column| column.bucket.greatest).fold(f64::NEG_INFINITY, f64::max);
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 1.0);
    }
    let span = if high > low { high - low } else { (0.2 * high.abs()).max(1e-9) };
    let usual = || columns.iter().filter_map(|column| column.bucket.usual);
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let usual_low = middle(usual().map(|(low, _)| low).collect()).unwrap_or(low);
    let usual_high = middle(usual().map(|(_, high)| high).collect()).unwrap_or(high);
    let low_end = low.min(usual_low.max(low - 0.5 * span)) - 0.05 * span;
    // What is never negative is not shown as if it could be.
    let low_end = if low >= 0.0 { low_end.max(0.0) } else { low_end };
    let high_end = high.max(usual_high.min(high + 0.5 * span)) + 0.05 * span;
    (low_end, high_end)
}

fn line(columns: &[Column], scale: &Scale) -> Path {
    let mut path = Path::default();
    for Column { x, bucket, gap } in columns {
        path.to(*x, scale.y(bucket.first), *gap);
        if bucket.least < bucket.greatest {
            // What comes first of the two nobody knows any more; the near one makes the line calmer.
            let rising = bucket.first - bucket.least <= bucket.greatest - bucket.first;
            let (one, two) = (bucket.least, bucket.greatest);
            for value in if rising { [one, two] } else { [two, one] } {
                path.to(*x, scale.y(value), false);
            }
            path.to(*x, scale.y(bucket.last), false);
        }
    }
    path
}

/// The area of the usual range.
fn usual(columns: &[Column], scale: &Scale) -> Path {
    let mut path = Path::default();
    for part in columns.chunk_by(|_, next| !next.gap) {
        let sides = || part.iter().filter_map(|column| Some((column.x, column.bucket.usual?)));
        for (n, (x, (_, high))) in sides().enumerate() {
            path.to(x, scale.y(high), n == 0);
        }
        for (x, (low, _)) in sides().rev() {
            path.to(x, scale.y(low), false);
        }
        path.close();
    }
    path
}

fn score(columns: &[Column], scale: &Scale) -> Path {
    let mut path = Path::default();
    for part in columns.chunk_by(|_, next| !next.gap) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        path.to(first.x - 0.5, SCORE.1, true);
        for column in part {
            path.to(column.x, scale.score(column.bucket.score), false);
        }
        path.to(last.x + 0.5, SCORE.1, false);
        path.close();
    }
    path
}

fn tag(svg: &mut String, class: &str, clip: &str, path: &Path) {
    let _ = writeln!(svg, "<path class=\"{class}\" clip-path=\"url(#{clip})\" d=\"{path}\"/>");
}

/// As text within XML, whatever is in it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            // XML has no way to write these.
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}
