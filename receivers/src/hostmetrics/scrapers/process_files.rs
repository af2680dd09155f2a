//! What the files of one process tell about who it is.

use std::collections::HashMap;
use std::io::ErrorKind;

use pdata::proto::common::KeyValue;

use super::{Host, ScrapeError};
use crate::emit::{Toggles, int, text};
use crate::hostmetrics::config;
use crate::hostmetrics::parse::{self, ProcessStat, Table};

/// Resource attributes, and whether they are on by default.
pub(in crate::hostmetrics) const ATTRIBUTES: &[(&str, bool)] = &[
    ("process.pid", true),
    ("process.parent_pid", true),
    ("process.executable.name", true),
    ("process.executable.path", true),
    ("process.command", true),
    ("process.command_line", true),
    ("process.owner", true),
    ("process.cgroup", false),
];

/// The kernel cuts a process's name to this length.
const LONGEST_NAME: usize = 15;

/// The ids of all processes.
pub(super) fn process_ids(host: &Host) -> Result<Vec<u32>, ScrapeError> {
    let path = host.path("proc");
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(source) => return Err(ScrapeError::Read { path, source }),
    };
    let mut ids: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Whether a file could not be read because its process has ended.
pub(super) fn is_gone(error: &ScrapeError) -> bool {
    /// "No such process", which has no kind of its own.
    const ESRCH: i32 = 3;
    match error {
        ScrapeError::Read { source, .. } => {
            source.kind() == ErrorKind::NotFound || source.raw_os_error() == Some(ESRCH)
        }
        ScrapeError::Missing { .. } => false,
    }
}

/// Finds out who processes are.
#[derive(Debug)]
pub(super) struct Identities {
    toggles: Toggles,
    with_exe_errors: bool,
    with_cgroup_errors: bool,
    users: HashMap<u32, String>,
}

/// Who a process is.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// The executable's name.
    pub(super) name: String,
    pub(super) attributes: Vec<KeyValue>,
    /// How much could not be read.
    pub(super) errors: u64,
}

impl Identities {
    pub(super) fn new(config: &config::Process) -> Self {
        let all = config.mute_process_all_errors;
        Self {
            toggles: config.resource_attributes.clone(),
            with_exe_errors: !(all || config.mute_process_exe_error),
            with_cgroup_errors: !(all || config.mute_process_cgroup_error),
            users: HashMap::new(),
        }
    }

    /// Who process `id` is.
    pub(super) fn of(&mut self, host: &Host, id: u32, stat: &ProcessStat) -> Identity {
        let file = |name: &str| format!("proc/{id}/{name}");
        let command_line = host.read(file("cmdline")).unwrap_or_default();
        let arguments = parse::arguments(&command_line);
        let mut errors = 0;
        let mut found = Vec::new();
        found.push(int("process.pid", id.into()));
        found.push(int("process.parent_pid", stat.parent));
        let name = full_name(&stat.name, arguments.first().copied());
        found.push(text("process.executable.name", &name));
        if self.is_on("process.executable.path") {
            match std::fs::read_link(host.path(file("exe"))) {
                Ok(path) => found.push(text("process.executable.path", &path.to_string_lossy())),
                // The kernel's own processes have no executable.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => errors += u64::from(self.with_exe_errors),
            }
        }
        if let Some(command) = arguments.first() {
            found.push(text("process.command", command));
            found.push(text("process.command_line", &arguments.join(" ")));
        }
        if self.is_on("process.owner")
            && let Some(owner) = self.owner(host, id)
        {
            found.push(text("process.owner", &owner));
        }
        if self.is_on("process.cgroup") {
            match host.read(file("cgroup")) {
                Ok(cgroup) => found.push(text("process.cgroup", cgroup.trim_end())),
                Err(_) => errors += u64::from(self.with_cgroup_errors),
            }
        }
        found.retain(|attribute| self.is_on(&attribute.key));
        Identity { name, attributes: found, errors }
    }

    fn is_on(&self, name: &str) -> bool {
        let default = ATTRIBUTES.iter().any(|(known, default)| *known == name && *default);
        self.toggles.is_on(name, default)
    }

    /// The name of the user that owns the process; its number if it has no name here, as in a container.
    fn owner(&mut self, host: &Host, id: u32) -> Option<String> {
        let status = host.read(format!("proc/{id}/status")).ok()?;
        let user = u32::try_from(Table(&status).count("Uid")?).ok()?;
        if !self.users.contains_key(&user) {
            // Users may have been added since the last look.
            self.users
                .extend(host.read("etc/passwd").map(|passwd| parse::users(&passwd)).unwrap_or_default());
            self.users.entry(user).or_insert_with(|| user.to_string());
        }
        self.users.get(&user).cloned()
    }
}

/// The name of the executable: the kernel's, completed from the command if the kernel has cut it.
fn full_name(name: &str, command: Option<&str>) -> String {
    let command = command.map(|command| command.rsplit_once('/').map_or(command, |(_, file)| file));
    match command {
        Some(command) if name.len() >= LONGEST_NAME && command.starts_with(name) => command.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_kernel_cut_is_completed() {
        assert_eq!(full_name("a-long-program-", Some("/opt/a-long-program-name")), "a-long-program-name");
        assert_eq!(full_name("a-long-program-", Some("python3")), "a-long-program-");
        assert_eq!(full_name("sh", Some("/bin/shell")), "sh");
        assert_eq!(full_name("kthreadd", None), "kthreadd");
    }
}
