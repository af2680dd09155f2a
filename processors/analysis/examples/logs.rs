//! Templates of a file of log lines, and what finding them costs.
//!
//! - `logs FILE [--hold N] [--words N]`: for each line the id and the text of its template, as it is known once the first N
//!   lines were read (all of them if not said); `--words` is how many words at a place are templates of their own;
//! - `logs FILE --shards N`: the same when the lines are dealt out to N miners whose knowledge is joined in the end;
//! - `logs FILE --speed PASSES`: lines a second, the best of so many passes with a new miner each, on one thread;
//! - `logs FILE --peers PASSES`: the same for two crates that do the like;
//! - `logs FILE --flood MILLIONS`: memory after so many million different random lines on top of the file's.

use std::io::Write;
use std::time::Instant;

use analysis::logs::Miner;
use analysis::logs::mask::Masker;
use analysis::logs::miner::Settings;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        eprintln!(
            "usage: logs FILE [--hold N] [--words N] | --shards N | --speed N | --peers N | --flood MILLIONS"
        );
        return Ok(());
    };
    let text = std::fs::read_to_string(path)?;
    let number = |name: &str| -> Option<usize> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let lines: Vec<&str> = text.lines().collect();
    if let Some(passes) = number("--speed") {
        speed(&lines, passes)
    } else if let Some(passes) = number("--peers") {
        peers(&lines, passes)
    } else if let Some(millions) = number("--flood") {
        flood(&lines, millions)
    } else if let Some(shards) = number("--shards") {
        joined(&lines, shards.max(1))
    } else {
        print(&lines, number("--hold").unwrap_or(usize::MAX), number("--words"))
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

fn joined(lines: &[&str], shards: usize) -> std::io::Result<()> {
    let mut masker = Masker::default();
    let mut all = Miner::new(Settings::default());
    for shard in 0..shards {
        let mut miner = Miner::new(Settings::default());
        // Dealt out by chance, but always the same way.
        let mine = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        for line in lines
            .iter()
            .enumerate()
            .filter(|(at, _)| mine(*at) as usize % shards == shard)
            .map(|(_, line)| line)
        {
            miner.learn(&masker.mask(line));
        }
        let snapshot = miner.snapshot().map_err(std::io::Error::other)?;
        all.merge(&snapshot).map_err(std::io::Error::other)?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        match all.look_up(&masker.mask(line)) {
            Some(template) => writeln!(out, "{}\t{}", template.id(), template.text())?,
            None => writeln!(out, "<other>\t")?,
        }
    }
    Ok(())
}

fn peers(lines: &[&str], passes: usize) -> std::io::Result<()> {
    let owned: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let (mut logdrain, mut drain3) = ((f64::MAX, 0), (f64::MAX, 0));
    for _ in 0..passes {
        use logdrain::builtin_masks::{email, hex32, ipv4, uuid};
        let began = Instant::now();
        let miner = logdrain::Miner::builder().masks([uuid(), hex32(), email(), ipv4()]).build();
        let miner = miner.map_err(std::io::Error::other)?;
        lines.iter().for_each(|line| {
            miner.add(line);
        });
        logdrain = (logdrain.0.min(began.elapsed().as_secs_f64()), miner.clusters().len());
        let mask = |pattern: &str, mask: &str| drain3::MaskingInstruction {
            pattern: pattern.into(),
            mask: mask.into(),
        };
        let masks = vec![
            mask(r"\b\d{1,3}(\.\d{1,3}){3}\b", "<IP>"),
            mask(r"\b0x[0-9a-fA-F]+\b", "<HEX>"),
            mask(r"\d+", "<NUM>"),
        ];
        let began = Instant::now();
        let matcher = drain3::train(&owned, drain3::Config::builder().masking(masks).build());
        let matcher = matcher.map_err(std::io::Error::other)?;
        drain3 = (drain3.0.min(began.elapsed().as_secs_f64()), matcher.templates().len());
    }
    for (name, (seconds, templates)) in [("logdrain", logdrain), ("drain3", drain3)] {
        let rate = lines.len() as f64 / seconds / 1e6;
        writeln!(std::io::stdout(), "{name}: {templates} templates, {rate:.3} million lines a second")?;
    }
    Ok(())
}

fn flood(lines: &[&str], millions: usize) -> std::io::Result<()> {
    let mut masker = Masker::default();
    let mut miner = Miner::new(Settings::default());
    lines.iter().for_each(|line| {
        miner.learn(&masker.mask(line));
    });
    let before = resident()?;
    let templates = miner.len();
    let began = Instant::now();
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let (mut line, mut most) = (String::new(), before);
    for at in 0..millions * 1_000_000 {
        line.clear();
        for _ in 0..1 + next() % 24 {
            let mut word = next();
            for _ in 0..3 + word % 8 {
                line.push(char::from(b'a' + (word % 26) as u8));
                word = word / 7 + next();
            }
            line.push([' ', ' ', ' ', ':', ',', '='][(next() % 6) as usize]);
        }
        miner.learn(&masker.mask(&line));
        if at % 100_000 == 0 {
            most = most.max(resident()?);
        }
    }
    let total: u64 = miner.templates().map(|(_, count)| count).sum::<u64>() + miner.other();
    writeln!(
        std::io::stdout(),
        "{templates} templates before, {} after; {:.1} MiB more at most; {} lines learned, {total} counted; {:.0} lines a second",
        miner.len(),
        (most - before) as f64 / f64::from(1 << 20),
        lines.len() + millions * 1_000_000,
        (millions * 1_000_000) as f64 / began.elapsed().as_secs_f64(),
    )
}

/// Bytes in memory, as Linux counts them.
fn resident() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    Ok(pages * 4096)
}
