//! `/proc/diskstats`.

/// Sectors are of 512 bytes here, whatever the device says.
const SECTOR: u64 = 512;

/// What a block device did since the start of the system.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) read: Direction,
    pub(crate) written: Direction,
    /// Operations that are under way.
    pub(crate) pending: u64,
    /// Seconds with at least one operation under way.
    pub(crate) busy: f64,
    /// Seconds, each multiplied by the operations under way.
    pub(crate) weighted: f64,
}

/// One direction of a [`Disk`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Direction {
    pub(crate) operations: u64,
    pub(crate) merged: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
}

/// Parses `/proc/diskstats`.
pub(crate) fn disks(text: &str) -> Vec<Disk> {
    text.lines().filter_map(disk).collect()
}

fn disk(line: &str) -> Option<Disk> {
    let mut fields = line.split_ascii_whitespace().skip(2);
    let name = fields.next()?.to_owned();
    let mut numbers = [0u64; 11];
    for number in &mut numbers {
        *number = fields.next()?.parse().ok()?;
    }
    let seconds = |millis: u64| millis as f64 / 1000.0;
    let direction = |numbers: &[u64]| Direction {
        operations: numbers[0],
        merged: numbers[1],
        bytes: numbers[2].saturating_mul(SECTOR),
        seconds: seconds(numbers[3]),
    };
    Some(Disk {
        name,
        read: direction(&numbers[..4]),
        written: direction(&numbers[4..8]),
        pending: numbers[8],
        busy: seconds(numbers[9]),
        weighted: seconds(numbers[10]),
    })
}
