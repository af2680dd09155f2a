//! Templates of a file of log lines, and how fast they are found.
//!
//! `logs FILE [--hold N] [--words N] [--speed PASSES]` prints for each line the id and the text of its template: with `--hold` as it is
//! known once N more lines were read at the start, without as it is known in the end. With `--speed` it prints the lines a
//! second, the best of so many passes with a new miner, everything on one thread.

use std::io::Write;
use std::time::Instant;

use analysis::logs::Miner;
use analysis::logs::mask::Masker;
use analysis::logs::miner::Settings;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        eprintln!("usage: logs FILE [--hold LINES] [--words MOST] [--speed PASSES]");
        return Ok(());
    };
    let text = std::fs::read_to_string(path)?;
    let number = |name: &str| -> Option<usize> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let lines: Vec<&str> = text.lines().collect();
    match number("--speed") {
        Some(passes) => speed(&lines, passes),
        None => print(&lines, number("--hold").unwrap_or(usize::MAX), number("--words")),
    }
}

fn print(lines: &[&str], hold: usize, words: Option<usize>) -> std::io::Result<()> {
    let mut masker = Masker::default();
    let mut settings = Settings::default();
    settings.distinct_words = words.unwrap_or(settings.distinct_words);
    let mut miner = Miner::new(settings);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (held, rest) = lines.split_at(hold.min(lines.len()));
    for line in held {
        miner.learn(&masker.mask(line));
    }
    for line in held {
        match miner.look_up(&masker.mask(line)) {
            Some(template) => writeln!(out, "{}\t{}", template.id(), template.text())?,
            None => writeln!(out, "<other>\t")?,
        }
    }
    for line in rest {
        let template = miner.learn(&masker.mask(line));
        writeln!(out, "{}\t{}", template.id(), template.text())?;
    }
    Ok(())
}

fn speed(lines: &[&str], passes: usize) -> std::io::Result<()> {
    let (mut best, mut templates, mut redactions) = (f64::MAX, 0, 0);
    for _ in 0..passes {
        let mut masker = Masker::default();
        let mut miner = Miner::new(Settings::default());
        redactions = 0;
        let began = Instant::now();
        for line in lines {
            let masked = masker.mask(line);
            redactions += masked.redactions.len();
            miner.learn(&masked);
        }
        best = best.min(began.elapsed().as_secs_f64());
        templates = miner.len();
    }
    let rate = lines.len() as f64 / best;
    writeln!(
        std::io::stdout(),
        "{} lines, {templates} templates, {redactions} redactions, {:.3} million lines a second",
        lines.len(),
        rate / 1e6
    )
}
