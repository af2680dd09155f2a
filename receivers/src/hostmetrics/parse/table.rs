//! Files with a name and a value per line: `meminfo`, `vmstat`, `cpuinfo`, a process's `status` and `io`.

/// Such a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a>(pub(crate) &'a str);

impl<'a> Table<'a> {
    /// The text after `name`, its colon and white space; of the first such line.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.texts(name).next()
    }

    /// As [`Table::text`], of every such line.
    pub(crate) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let separated = rest.starts_with([':', ' ', '\t']);
            separated.then(|| rest.trim_start_matches([':', ' ', '\t']).trim_end())
        })
    }

    /// A count without a unit.
    pub(crate) fn count(self, name: &str) -> Option<u64> {
        self.text(name)?.split_ascii_whitespace().next()?.parse().ok()
    }

    /// Bytes, from a value in kB.
    pub(crate) fn bytes(self, name: &str) -> Option<u64> {
        let number: u64 = self.text(name)?.strip_suffix("kB")?.trim_end().parse().ok()?;
        number.checked_mul(1024)
    }
}
