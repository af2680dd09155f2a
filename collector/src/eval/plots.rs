//! Pictures of the series: which ones, under which names, and a page with all of them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::collect::{Collected, Episode, Service, Traced};
use super::judge::Verdict;
use crate::plot::{Mark, Plot, escaped};
use crate::words;

/// How much of a series' name is in that of its file.
const LONGEST_NAME: usize = 80;

/// A series that may be drawn.
struct Candidate<'a> {
    service: &'a str,
    verdict: Option<&'a Verdict>,
    traced: &'a Traced,
    episodes: Vec<&'a Episode>,
}

/// Draws at most `most` series: those with anomalies, the oddest first, and then others. Returns what there is to say about it.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn write(
    directory: &Path,
    most: usize,
    collected: &Collected,
    verdicts: &[Verdict],
) -> io::Result<String> {
    std::fs::create_dir_all(directory)?;
    let mut candidates: Vec<_> = collected
        .services
        .iter()
        .flat_map(|(name, service)| {
            let verdict = verdicts.iter().find(|verdict| verdict.service == *name);
            of_service(name, service, verdict)
        })
        .collect();
    candidates.sort_by(|a, b| b.worst().total_cmp(&a.worst()));
    let n_series = candidates.len();
    candidates.truncate(most);
    let mut page = PAGE.to_owned();
    let mut taken = HashSet::new();
    for candidate in &candidates {
        let name = file_name(&candidate.title(), &mut taken);
        std::fs::write(directory.join(&name), candidate.svg())?;
        let _ = writeln!(page, "<object type=\"image/svg+xml\" data=\"{}\"></object>", escaped(&name));
    }
    std::fs::write(directory.join("index.html"), page)?;
    let n = candidates.len() as u64;
    let index = directory.join("index.html");
    let left_out = match n_series as u64 - n {
        0 => String::new(),
        more => format!("; {more} more are not drawn"),
    };
    Ok(format!("drew {} series{left_out}; see {}", words::grouped(n), index.display()))
}

const PAGE: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>Watchfire: detection</title>\n\
<style>body{margin:24px auto;max-width:1120px}object{display:block;width:100%;margin:0 0 16px}</style>\n";

fn of_service<'a>(
    name: &'a str,
    service: &'a Service,
    verdict: Option<&'a Verdict>,
) -> impl Iterator<Item = Candidate<'a>> {
    service.traces.iter().map(move |(id, traced)| Candidate {
        service: name,
        verdict,
        traced,
        episodes: service.episodes.iter().filter(|episode| episode.series == *id).collect(),
    })
}

impl Candidate<'_> {
    /// How odd it was at worst; negative if nothing was reported.
    fn worst(&self) -> f64 {
        self.episodes.iter().map(|episode| episode.score).fold(-1.0, f64::max)
    }

    fn title(&self) -> String {
        format!("{}: {}", self.service, self.traced.name)
    }

    fn svg(&self) -> String {
        let end = self.traced.trace.extent().1;
        let anomalies: Vec<_> = self
            .episodes
            .iter()
            .map(|episode| {
                // What has not ended goes on to the end of the series.
                let until = if episode.over { episode.window.end } else { end.max(episode.window.end) };
                mark(episode.window.begin, until, &episode.message)
            })
            .collect();
        let windows = self.verdict.map(|verdict| verdict.windows.as_slice()).unwrap_or_default();
        let labels: Vec<_> =
            windows.iter().map(|window| mark(window.begin, window.end, "labelled")).collect();
        Plot {
            title: &self.title(),
            unit: &self.traced.unit,
            trace: &self.traced.trace,
            anomalies: &anomalies,
            labels: &labels,
        }
        .svg()
    }
}

fn mark(begin: pdata::Timestamp, end: pdata::Timestamp, what: &str) -> Mark {
    let clock = words::Clock::for_times([begin, end].into_iter());
    let date = words::Clock::Day.text(begin);
    let text = format!("{what}\n{date} – {} UTC", clock.text(end));
    Mark { begin, end, text }
}

/// A name of a file for a series, that no other has.
fn file_name(title: &str, taken: &mut HashSet<String>) -> String {
    let mut name = String::new();
    for char in title.chars().take(LONGEST_NAME) {
        match char {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' => name.push(char),
            _ if !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    // Nothing hidden, and nothing that goes upwards.
    let stem = name.trim_matches(['-', '.']);
    let stem = if stem.is_empty() { "series" } else { stem };
    let mut name = format!("{stem}.svg");
    let mut n = 1;
    while !taken.insert(name.to_lowercase()) {
        n += 1;
        name = format!("{stem}-{n}.svg");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_harmless_name_of_its_own() {
        let mut taken = HashSet::new();
        let mut name = |title: &str| file_name(title, &mut taken);
        assert_eq!(name("cart: cpu.time (state=user)"), "cart-cpu.time-state-user.svg");
        assert_eq!(name("cart: cpu.time {state=user}"), "cart-cpu.time-state-user-2.svg");
        assert_eq!(name("../../etc/passwd"), "etc-passwd.svg");
        assert_eq!(name("日本"), "series.svg");
    }
}
