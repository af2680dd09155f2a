//! Laying one tree over another: maps are merged, everything else is replaced.

use indexmap::map::Entry;

use crate::{Node, Value};

/// Lays `over` over `under`. Recursion is bounded by the depth that the parsers allow.
pub(crate) fn merge(under: &mut Node, over: Node) {
    match (&mut under.value, over.value) {
        (Value::Map(under), Value::Map(over)) => {
            for (key, (location, node)) in over {
                match under.entry(key) {
                    Entry::Vacant(entry) => {
                        entry.insert((location, node));
                    }
                    Entry::Occupied(mut entry) => {
                        let (known_location, known) = entry.get_mut();
                        let merges = matches!((&known.value, &node.value), (Value::Map(_), Value::Map(_)));
                        if !merges {
                            *known_location = location;
                        }
                        merge(known, node);
                    }
                }
            }
        }
        (_, value) => *under = Node { value, location: over.location, written: over.written },
    }
}
