//! `/proc/stat` and `/proc/loadavg`.

/// The kernel shows times in hundredths of a second, on every architecture.
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// `/proc/stat`, as far as it is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stat {
    /// Every logical CPU's times.
    pub(crate) cpus: Vec<CpuTimes>,
    /// When the system started, in seconds since the epoch.
    pub(crate) boot_secs: Option<u64>,
    /// Processes created since then.
    pub(crate) created: Option<u64>,
}

/// What one logical CPU did, in seconds since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CpuTimes {
    /// `cpu0` and so on.
    pub(crate) name: String,
    /// By state, in the kernel's order; see [`CpuTimes::STATES`].
    pub(crate) seconds: [f64; 8],
}

impl CpuTimes {
    /// The collector's names for the kernel's first eight columns.
    pub(crate) const STATES: [&'static str; 8] =
        ["user", "nice", "system", "idle", "wait", "interrupt", "softirq", "steal"];
}

/// Parses `/proc/stat`.
pub(crate) fn stat(text: &str) -> Stat {
    let mut stat = Stat::default();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        match fields.next() {
            Some("btime") => stat.boot_secs = fields.next().and_then(|field| field.parse().ok()),
            Some("processes") => stat.created = fields.next().and_then(|field| field.parse().ok()),
            Some(name) if is_cpu(name) => {
                let mut times = CpuTimes { name: name.to_owned(), seconds: [0.0; 8] };
                // Old kernels have fewer columns: those states did not happen.
                for (seconds, field) in times.seconds.iter_mut().zip(fields) {
                    *seconds = field.parse::<u64>().unwrap_or_default() as f64 / TICKS_PER_SECOND;
                }
                stat.cpus.push(times);
            }
            Some(_) | None => {}
        }
    }
    stat
}

fn is_cpu(name: &str) -> bool {
    let number = name.strip_prefix("cpu").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load(text: &str) -> Option<[f64; 3]> {
    let mut fields =
        text.split_ascii_whitespace().map(|field| field.parse::<f64>().ok().filter(|l| l.is_finite()));
    Some([fields.next()??, fields.next()??, fields.next()??])
}
