//! A label set: sorted by name, each name once, no empty values (an empty value means no label).

use std::borrow::Cow;

use super::text::LabelPairs;

/// The label that holds a sample's metric name during relabelling.
pub(super) const NAME: &str = "__name__";

/// A label set. Borrows from a scrape's body where it can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Labels<'a>(LabelPairs<'a>);

impl<'a> Labels<'a> {
    /// The value of `name`; empty if there is no such label.
    pub(super) fn get(&self, name: &str) -> &str {
        self.position(name).map_or("", |at| &self.0[at].1)
    }

    /// Whether there is such a label.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets a label; an empty value removes it.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match (self.position(&name), value.is_empty()) {
            (Ok(at), true) => drop(self.0.remove(at)),
            (Ok(at), false) => self.0[at].1 = value,
            (Err(_), true) => {}
            (Err(at), false) => self.0.insert(at, (name, value)),
        }
    }

    /// Removes a label and returns its value.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.position(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps the labels whose names `wanted` accepts.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| wanted(name));
    }

    /// Name and value of every label, in order of name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Fills in what a parser read, reusing the memory; see [`Labels::parser_buffer`].
    pub(super) fn drop_empty(&mut self) {
        self.0.retain(|(_, value)| !value.is_empty());
    }

    /// The buffer for [`super::text::Parser::read`], which leaves it sorted; call [`Labels::drop_empty`] afterwards.
    pub(super) const fn parser_buffer(&mut self) -> &mut LabelPairs<'a> {
        &mut self.0
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        // Label sets are small, and most look-ups hit a short prefix.
        for (at, (known, _)) in self.0.iter().enumerate() {
            match (**known).cmp(name) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(self.0.len())
    }
}

impl<'a, N: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(N, V)> for Labels<'a> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_no_label() {
        let mut labels: Labels<'_> = [("b", "2"), ("a", "1"), ("c", "")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        labels.set("a", "");
        assert_eq!(labels.get("a"), "");
        assert!(!labels.contains("a"));
        assert_eq!(labels.take("b").as_deref(), Some("2"));
        assert_eq!(labels.iter().count(), 0);
    }
}
