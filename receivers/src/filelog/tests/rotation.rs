//! Files that change their names, their content or their inode.

use super::*;

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(|config| config.include = vec![include.to_owned()]);
        bench.write("app.log", "1\n");
        assert_eq!(bench.round(), ["1"]);
        bench.write("app.log", "2\n");
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "4\n");
        bench.write("app.log.1", "3\n");
        assert_eq!(bench.round(), ["2", "3", "4"], "{include}");
        // The writer had it open all the time.
        bench.write("app.log.1", "late\n");
        assert_eq!(bench.round(), ["late"], "{include}");
        assert!(bench.settle().is_empty());
    }
}

#[test]
fn files_that_came_and_went_between_two_rounds_are_read() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(|config| config.include = vec![include.to_owned()]);
        bench.write("app.log", "1\n");
        bench.round();
        for n in 2..5 {
            bench.rename("app.log", &format!("app.log.{n}"));
            bench.write("app.log", &format!("{n}\n"));
        }
        assert_eq!(bench.settle(), ["2", "3", "4"], "{include}");
    }
}

#[test]
fn a_copied_and_truncated_file_loses_and_repeats_nothing() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(|config| config.include = vec![include.to_owned()]);
        bench.write("app.log", "1\n2\n");
        bench.round();
        bench.write("app.log", "3\n");
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        File::create(bench.path("app.log")).unwrap();
        bench.write("app.log", "4 is longer than all that there was before\n");
        assert_eq!(bench.settle(), ["3", "4 is longer than all that there was before"], "{include}");
    }
}

#[test]
fn a_file_written_anew_with_lines_that_end_alike_is_another_one() {
    let lines = |day, n| (0..n).map(|i| format!("{day} {i:02} {}", "x".repeat(100))).collect::<Vec<_>>();
    let mut bench = Bench::new(|_| {});
    for day in 1..4_u32 {
        // In place, and each time beyond where it has been read.
        let lines = lines(day, 10 * day);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(bench.path("app.log"), text).unwrap();
        assert_eq!(bench.round(), lines);
    }
}

/// Has the file truncated and written anew when the first batch goes out, in the middle of reading it.
struct Rotator {
    live: PathBuf,
    copy: Option<PathBuf>,
    anew: Option<String>,
    arrived: Arrived,
}

impl Sink for Rotator {
    fn put(&mut self, packet: Packet) -> Result<(), Stopped> {
        if let Some(anew) = self.anew.take() {
            if let Some(copy) = &self.copy {
                fs::copy(&self.live, copy).unwrap();
            }
            // In place: the file keeps its inode.
            fs::write(&self.live, anew).unwrap();
        }
        self.arrived.put(packet)
    }
}

#[test]
fn what_was_written_anew_while_it_was_read_is_not_taken_for_the_rest() {
    // Longer than what is read at once, and all lines of a length: the new content has a line wherever the old one had.
    let lines = |of: &str| (0..100_000).map(|i| format!("{of} {i:08}")).collect::<Vec<_>>();
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (old, new) = (lines("old"), lines("new"));
    for is_copied in [true, false] {
        let mut bench = Bench::new(|_| {});
        bench.write("app.log", &text(&old));
        let mut rotator = Rotator {
            live: bench.path("app.log"),
            copy: is_copied.then(|| bench.path("app.log.1")),
            anew: Some(text(&new)),
            arrived: Arrived::default(),
        };
        for _ in 0..10 {
            bench.now = bench.now + Duration::from_secs(6);
            while bench.poller.round(bench.now, &mut rotator).unwrap() {}
        }
        let arrived: Vec<_> = rotator.arrived.0.into_iter().flat_map(|(lines, _)| lines).collect();
        let (news, olds): (Vec<_>, Vec<_>) = arrived.into_iter().partition(|line| line.starts_with("new"));
        assert_eq!(news.len(), new.len(), "copied: {is_copied}");
        assert!(news == new, "the new content is complete and in order");
        assert!(if is_copied { olds == old } else { !olds.is_empty() && old.starts_with(&olds) });
    }
}

#[test]
fn a_line_that_was_incomplete_is_read_from_the_copy() {
    for next in ["", "3 is longer than all that there was before\n"] {
        let mut bench = Bench::new(|config| config.include = vec!["app.log".to_owned()]);
        bench.write("app.log", "1\n");
        bench.round();
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "2 is inc");
        assert!(bench.round().is_empty());
        bench.write("app.log", "omplete\n");
        fs::copy(bench.path("app.log"), bench.path("app.log.2")).unwrap();
        File::create(bench.path("app.log")).unwrap();
        bench.write("app.log", next);
        let expected: Vec<&str> = ["2 is incomplete"].into_iter().chain(next.lines()).collect();
        assert_eq!(bench.settle(), expected);
    }
}

#[test]
fn a_file_that_is_not_kept_open_is_seen_to_be_another_one() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(|config| {
            config.include = vec![include.to_owned()];
            config.max_concurrent_files = 1;
        });
        bench.write("app.log", "1\n");
        bench.round();
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "2\n");
        assert_eq!(bench.round(), ["2"]);
        bench.write("app.log", "3\n");
        fs::copy(bench.path("app.log"), bench.path("app.log.2")).unwrap();
        File::create(bench.path("app.log")).unwrap();
        bench.write("app.log", "4 is longer than all that there was before\n");
        bench.rename("app.log", "app.log.3");
        assert_eq!(bench.settle(), ["3", "4 is longer than all that there was before"], "{include}");
    }
}

#[test]
fn a_copy_that_is_still_growing_is_not_read_twice() {
    let mut bench = Bench::new(|_| {});
    let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
    bench.write("app.log", &text);
    assert_eq!(bench.round().len(), 100);
    bench.write("app.log.1", &text[..300]);
    assert!(bench.round().is_empty());
    bench.write("app.log.1", &text[300..]);
    assert!(bench.round().is_empty());
    File::create(bench.path("app.log")).unwrap();
    bench.write("app.log", "next\n");
    assert_eq!(bench.settle(), ["next"]);
}

#[test]
fn a_compressed_copy_is_not_read_twice_and_its_unread_end_is_read() {
    let mut bench = Bench::new(|_| {});
    bench.write("app.log", "1\n2\n");
    assert_eq!(bench.round(), ["1", "2"]);
    bench.rename("app.log", "app.log.1");
    bench.gzip("app.log.1");
    assert!(bench.settle().is_empty());
    bench.restart(usize::MAX);
    assert!(bench.settle().is_empty());
    // Compressed while nobody was looking.
    bench.write("app.log", "3\n");
    assert_eq!(bench.round(), ["3"]);
    bench.write("app.log", "4\n");
    bench.restart(usize::MAX);
    bench.rename("app.log", "app.log.2");
    bench.gzip("app.log.2");
    bench.write("app.log", "5\n");
    assert_eq!(bench.settle(), ["4", "5"]);
}

#[test]
fn a_compressed_file_that_nobody_knows_is_read_as_text() {
    let mut bench = Bench::new(|_| {});
    bench.write("app.log.1", "1\n2");
    bench.gzip("app.log.1");
    assert_eq!(bench.settle(), ["1", "2"]);
}

#[test]
fn an_inode_that_is_given_away_again_is_another_file() {
    let mut bench = Bench::new(|config| config.max_concurrent_files = 1);
    bench.write("app.log.0", "other\n");
    bench.write("app.log", "a long enough line to be told apart\n");
    bench.round();
    bench.restart(usize::MAX);
    // The same path, and on most file systems the same inode.
    fs::remove_file(bench.path("app.log")).unwrap();
    bench.write("app.log", "another long enough line to be told apart\n");
    assert_eq!(bench.settle(), ["another long enough line to be told apart"]);
}

#[test]
fn a_file_rotated_while_the_receiver_was_down_is_read_to_its_end() {
    for (include, start_at) in [
        ("app.log", StartAt::Beginning),
        ("app.log*", StartAt::Beginning),
        ("app.log", StartAt::End),
        ("app.log*", StartAt::End),
    ] {
        let mut bench = Bench::new(|config| {
            config.include = vec![include.to_owned()];
            config.start_at = start_at;
        });
        bench.write("app.log", "0\n");
        bench.round();
        bench.write("app.log", "1\n");
        bench.round();
        bench.restart(usize::MAX);
        bench.write("app.log", "2\n");
        bench.rename("app.log", "app.log.1");
        bench.write("app.log", "3\n");
        assert_eq!(bench.settle(), ["2", "3"], "{include} {start_at:?}");
    }
}

#[test]
fn excluded_files_stay_unread_even_if_a_rotation_made_them() {
    let mut bench = Bench::new(|config| {
        config.include = vec!["app.log".to_owned()];
        config.exclude = vec!["*.secret".to_owned()];
    });
    bench.write("app.log", "1\n");
    bench.round();
    bench.write("app.log.secret", "no\n");
    bench.rename("app.log", "app.log.1");
    bench.write("app.log", "2\n");
    assert_eq!(bench.settle(), ["2"]);
}
