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
