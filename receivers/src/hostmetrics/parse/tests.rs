//! Fixtures as the kernel writes them, and arbitrary text.

use proptest::prelude::*;

use super::*;

#[test]
fn stat_has_cpus_boot_time_and_processes() {
    let parsed = stat(
        "cpu  300 2 200 4000 50 6 7 8 9 10\ncpu0 100 1 100 2000 25 3 3 4 5 5\ncpu1 200 1 100 2000 25\n\
         intr 1 2\nbtime 1700000000\nprocesses 4242\nprocs_running 2\n",
    );
    assert_eq!(parsed.boot_secs, Some(1_700_000_000));
    assert_eq!(parsed.created, Some(4242));
    assert_eq!(parsed.cpus[0].name, "cpu0");
    assert_eq!(parsed.cpus[0].seconds, [1.0, 0.01, 1.0, 20.0, 0.25, 0.03, 0.03, 0.04]);
    assert_eq!(parsed.cpus[1].seconds, [2.0, 0.01, 1.0, 20.0, 0.25, 0.0, 0.0, 0.0]);
}

#[test]
fn load_needs_three_numbers() {
    assert_eq!(load("2.19 1.99 1.33 4/112 23652\n"), Some([2.19, 1.99, 1.33]));
    assert_eq!(load("2.19 nan 1.33"), None);
    assert_eq!(load("2.19"), None);
}

#[test]
fn tables_are_read_with_and_without_colon_and_unit() {
    let table =
        Table("MemTotal:       16307408 kB\nMemTotalOther: 1 kB\nHugePages_Total:       3\npgfault 12 \n");
    assert_eq!(table.bytes("MemTotal"), Some(16_307_408 * 1024));
    assert_eq!(table.count("HugePages_Total"), Some(3));
    assert_eq!(table.count("pgfault"), Some(12));
    assert_eq!(table.bytes("MemTot"), None);
    assert_eq!(table.bytes("HugePages_Total"), None, "no unit");
}

#[test]
fn diskstats_are_sectors_and_milliseconds() {
    let parsed = disks("   8       0 sda 10 1 20 500 30 2 40 1500 3 2000 4000 0 0 0 0 0 0\n   7 0 loop0 0\n");
    assert_eq!(parsed.len(), 1);
    let sda = &parsed[0];
    assert_eq!((sda.name.as_str(), sda.pending, sda.busy, sda.weighted), ("sda", 3, 2.0, 4.0));
    assert_eq!(
        (sda.read.operations, sda.read.merged, sda.read.bytes, sda.read.seconds),
        (10, 1, 10_240, 0.5)
    );
    assert_eq!(
        (sda.written.operations, sda.written.merged, sda.written.bytes, sda.written.seconds),
        (30, 2, 20_480, 1.5)
    );
}

#[test]
fn mounts_are_unescaped() {
    let parsed = mounts(
        "36 35 98:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
         37 36 98:1 / /mnt/my\\040disk ro,nosuid - xfs /dev/sdb1 rw\nnonsense\n",
    );
    assert_eq!(parsed.len(), 2);
    let disk = &parsed[1];
    let expected = ("/dev/sdb1", "/mnt/my disk", "xfs", "ro");
    assert_eq!((disk.device.as_str(), disk.point.as_str(), disk.fs_type.as_str(), disk.mode), expected);
}

#[test]
fn file_systems_with_a_device_are_told_from_those_without() {
    let types = physical_types("nodev\tsysfs\nnodev\ttmpfs\n\text4\n\txfs\n");
    let mut types: Vec<_> = types.into_iter().collect();
    types.sort();
    assert_eq!(types, ["ext4", "xfs", "zfs"]);
}

#[test]
fn swaps_are_in_bytes() {
    let parsed = swaps("Filename\tType\tSize\tUsed\tPriority\n/swap\\040file file 1000 10 -2\nbroken\n");
    assert_eq!(parsed, [mounts::Swap { device: "/swap file".to_owned(), size: 1_024_000, used: 10_240 }]);
}

#[test]
fn interfaces_have_both_directions() {
    let parsed = interfaces(
        "Inter-|   Receive  |  Transmit\n face |bytes    packets errs drop\n\
         eth0:1: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n    lo:122768 95 0 0 0 0 0 0 122768 95 0 0 0 0 0 0\n",
    );
    assert_eq!(parsed[0].name, "eth0:1");
    assert_eq!((parsed[0].received.dropped, parsed[0].transmitted.errors), (4, 7));
    assert_eq!((parsed[1].name.as_str(), parsed[1].received.bytes), ("lo", 122_768));
}

#[test]
fn tcp_connections_are_counted_by_state() {
    let line =
        |state: &str| format!("   0: 00000000:07E8 00000000:0000 {state} 00000000:00000000 00:00000000 0\n");
    let counts =
        tcp_states(&format!("  sl  local\n{}{}{}{}", line("0A"), line("01"), line("0A"), line("FF")));
    assert_eq!(counts.iter().sum::<u64>(), 3);
    assert_eq!(counts[TCP_STATES.iter().position(|state| *state == "LISTEN").unwrap()], 2);
}

#[test]
fn a_process_may_be_called_anything() {
    let parsed = process_stat(
        "42 (a) R (b) S 1 2 3 0 -1 4194560 55 44 6 4 250 150 0 0 20 0 13 0 2500 53035008 5084 1844 1 1 0 0 0 0 0 4096 \
         1256 0 0 0 17 0 0 0 300 0 0",
    )
    .unwrap();
    assert_eq!((parsed.name.as_str(), parsed.state, parsed.parent), ("a) R (b", 'S', 1));
    assert_eq!((parsed.user, parsed.system, parsed.wait, parsed.started), (2.5, 1.5, 3.0, 25.0));
    assert_eq!((parsed.minor_faults, parsed.major_faults, parsed.threads), (55, 6, 13));
    assert_eq!((parsed.virtual_memory, parsed.resident_pages), (53_035_008, 5084));
    assert_eq!(process_stat("42 (a) S 1 2"), None);
}

#[test]
fn arguments_are_split_at_zero_bytes() {
    assert_eq!(arguments("sh\0-c\0\0x y\0"), ["sh", "-c", "", "x y"]);
    assert!(arguments("").is_empty());
}

#[test]
fn the_first_name_of_a_user_counts() {
    let names =
        users("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0\n# comment:x:1:1\nbroken\napp:x:1000:1000\n");
    assert_eq!(names.get(&0).map(String::as_str), Some("root"));
    assert_eq!(names.get(&1000).map(String::as_str), Some("app"));
    assert_eq!(names.len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC*|([a-z0-9:() \\t\\n\\\\/.-]|kB|cpu0|tcp| - )*") {
        stat(&text);
        load(&text);
        disks(&text);
        mounts(&text);
        physical_types(&text);
        swaps(&text);
        interfaces(&text);
        tcp_states(&text);
        process_stat(&text);
        arguments(&text);
        users(&text);
        Table(&text).bytes("a");
        Table(&text).count("a");
    }

    #[test]
    fn huge_numbers_do_not_overflow(number in prop::sample::select(vec![u64::MAX, u64::MAX / 2, 0])) {
        let numbers = [number.to_string().as_str(); 40].join(" ");
        disks(&format!("1 1 sda {numbers}"));
        interfaces(&format!("eth0: {numbers}"));
        stat(&format!("cpu0 {numbers}\nbtime {number}"));
        process_stat(&format!("1 (a) S 1 {numbers}"));
        swaps(&format!("head\nswap file {numbers}"));
        Table(&format!("a: {number} kB")).bytes("a");
    }
}
