//! `/proc/net/dev` and `/proc/net/tcp`.

/// What a network interface did since the start of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) received: Flow,
    pub(crate) transmitted: Flow,
}

/// One direction of an [`Interface`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) errors: u64,
    pub(crate) dropped: u64,
}

/// Parses `/proc/net/dev`.
pub(crate) fn interfaces(text: &str) -> Vec<Interface> {
    text.lines().filter_map(interface).collect()
}

fn interface(line: &str) -> Option<Interface> {
    // Names of aliases hold colons themselves.
    let (name, numbers) = line.rsplit_once(':')?;
    let mut fields = numbers.split_ascii_whitespace();
    let mut values = [0u64; 16];
    for value in &mut values {
        *value = fields.next()?.parse().ok()?;
    }
    let flow = |v: &[u64]| Flow { bytes: v[0], packets: v[1], errors: v[2], dropped: v[3] };
    Some(Interface {
        name: name.trim().to_owned(),
        received: flow(&values[..8]),
        transmitted: flow(&values[8..]),
    })
}

/// The states of a TCP connection; the kernel's number is the index plus one.
pub(crate) const TCP_STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// Counts the connections of `/proc/net/tcp` or `tcp6` by state.
pub(crate) fn tcp_states(text: &str) -> [u64; TCP_STATES.len()] {
    let mut counts = [0; TCP_STATES.len()];
    for line in text.lines().skip(1) {
        let state =
            line.split_ascii_whitespace().nth(3).and_then(|field| usize::from_str_radix(field, 16).ok());
        if let Some(count) =
            state.and_then(|state| state.checked_sub(1)).and_then(|index| counts.get_mut(index))
        {
            *count += 1;
        }
    }
    counts
}
