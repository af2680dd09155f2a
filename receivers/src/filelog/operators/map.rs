//! Values with names, in the order in which they were added.
//!
//! In: pairs of name and value; a name that is there already gets the new value in its old place. Out: the same pairs. A
//! record has a handful of them, among which comparing is faster than hashing; what is hostile and has thousands is
//! hashed all the same.

use compact_str::CompactString;
use indexmap::IndexMap;

use super::entry::Value;

/// Text that needs no memory of its own while it is short, as most names and many values are.
pub(in crate::filelog) type Text = CompactString;

type Hashed = IndexMap<Text, Value, foldhash::fast::RandomState>;

/// So many pairs are found by comparing.
const FEW: usize = 24;

/// Values with names.
#[derive(Clone, Debug)]
pub(in crate::filelog) struct Map(Pairs);

#[derive(Clone, Debug)]
enum Pairs {
    Few(Vec<(Text, Value)>),
    /// Boxed, because records seldom have so many and their values should not be larger for it.
    Many(Box<Hashed>),
}

impl Map {
    /// None, with room for so many.
    pub(in crate::filelog) fn with_capacity(capacity: usize) -> Self {
        Self(Pairs::Few(Vec::with_capacity(capacity.min(FEW))))
    }

    /// How many there are.
    pub(in crate::filelog) fn len(&self) -> usize {
        match &self.0 {
            Pairs::Few(pairs) => pairs.len(),
            Pairs::Many(pairs) => pairs.len(),
        }
    }

    /// Whether there are none.
    pub(in crate::filelog) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of this name.
    pub(in crate::filelog) fn get(&self, key: &str) -> Option<&Value> {
        match &self.0 {
            Pairs::Few(pairs) => pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            Pairs::Many(pairs) => pairs.get(key),
        }
    }

    /// The value of this name.
    pub(in crate::filelog) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        match &mut self.0 {
            Pairs::Few(pairs) => pairs.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value),
            Pairs::Many(pairs) => pairs.get_mut(key),
        }
    }

    /// Whether there is a value of this name.
    pub(in crate::filelog) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Gives a name its value.
    pub(in crate::filelog) fn insert(&mut self, key: Text, value: Value) {
        match &mut self.0 {
            Pairs::Few(pairs) => match pairs.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => {
                    pairs.push((key, value));
                    self.hash_many();
                }
            },
            Pairs::Many(pairs) => drop(pairs.insert(key, value)),
        }
    }

    /// The value of this name, nothing if it had none before.
    pub(in crate::filelog) fn get_or_default(&mut self, key: &str) -> &mut Value {
        if let Pairs::Few(pairs) = &self.0
            && pairs.len() == FEW
            && !self.contains_key(key)
        {
            self.insert(key.into(), Value::Null);
        }
        match &mut self.0 {
            Pairs::Few(pairs) => {
                let at = pairs.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
                    pairs.push((key.into(), Value::Null));
                    pairs.len() - 1
                });
                &mut pairs[at].1
            }
            Pairs::Many(pairs) => pairs.entry(key.into()).or_default(),
        }
    }

    /// Takes a value out; the others keep their order.
    pub(in crate::filelog) fn remove(&mut self, key: &str) -> Option<Value> {
        match &mut self.0 {
            Pairs::Few(pairs) => {
                let at = pairs.iter().position(|(known, _)| known == key)?;
                Some(pairs.remove(at).1)
            }
            Pairs::Many(pairs) => pairs.shift_remove(key),
        }
    }

    /// All pairs.
    pub(in crate::filelog) fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        let (few, many) = match &self.0 {
            Pairs::Few(pairs) => (pairs.as_slice(), None),
            Pairs::Many(pairs) => (&[][..], Some(pairs.iter())),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// All values.
    pub(in crate::filelog) fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    /// All values.
    pub(in crate::filelog) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let (few, many) = match &mut self.0 {
            Pairs::Few(pairs) => (pairs.as_mut_slice(), None),
            Pairs::Many(pairs) => (&mut [][..], Some(pairs.values_mut())),
        };
        few.iter_mut().map(|(_, value)| value).chain(many.into_iter().flatten())
    }

    /// Adds all of `newer`, which wins where both have a name.
    pub(in crate::filelog) fn merge(&mut self, mut newer: Self) {
        // Moving the fewer is cheaper.
        if self.len() < newer.len() {
            std::mem::swap(self, &mut newer);
            for (key, earlier) in newer {
                if !self.contains_key(&key) {
                    self.insert(key, earlier);
                }
            }
        } else {
            self.extend(newer);
        }
    }

    fn hash_many(&mut self) {
        if let Pairs::Few(pairs) = &mut self.0
            && pairs.len() > FEW
        {
            self.0 = Pairs::Many(Box::new(std::mem::take(pairs).into_iter().collect()));
        }
    }
}

impl Default for Map {
    fn default() -> Self {
        Self(Pairs::Few(Vec::new()))
    }
}

impl PartialEq for Map {
    /// The order does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Extend<(Text, Value)> for Map {
    fn extend<I: IntoIterator<Item = (Text, Value)>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

impl FromIterator<(Text, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let mut map = Self::with_capacity(pairs.size_hint().0);
        map.extend(pairs);
        map
    }
}

impl IntoIterator for Map {
    type Item = (Text, Value);
    type IntoIter = std::iter::Chain<
        std::vec::IntoIter<(Text, Value)>,
        std::iter::Flatten<std::option::IntoIter<indexmap::map::IntoIter<Text, Value>>>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let (few, many) = match self.0 {
            Pairs::Few(pairs) => (pairs, None),
            Pairs::Many(pairs) => (Vec::new(), Some(pairs.into_iter())),
        };
        few.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
impl std::ops::Index<&str> for Map {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.get(key).expect("the key is there")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Change {
        Insert(u8),
        Default(u8),
        Remove(u8),
        Merge(Vec<u8>),
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let change = prop_oneof![
            4 => any::<u8>().prop_map(Change::Insert),
            1 => any::<u8>().prop_map(Change::Default),
            2 => any::<u8>().prop_map(Change::Remove),
            1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Change::Merge),
        ];
        prop::collection::vec(change, 0..80)
    }

    fn name(key: u8) -> Text {
        format!("key.{}", key % 64).into()
    }

    proptest! {
        #[test]
        fn few_and_many_behave_as_a_hash_map_does(changes in changes()) {
            let (mut map, mut model) = (Map::default(), std::collections::HashMap::new());
            for (n, change) in changes.into_iter().enumerate() {
                let value = Value::Int(n as i64);
                match change {
                    Change::Insert(key) => {
                        map.insert(name(key), value.clone());
                        model.insert(name(key), value);
                    }
                    Change::Default(key) => {
                        prop_assert_eq!(&*map.get_or_default(&name(key)), model.entry(name(key)).or_default());
                    }
                    Change::Remove(key) => prop_assert_eq!(map.remove(&name(key)), model.remove(&name(key))),
                    Change::Merge(keys) => {
                        let newer: Map = keys.iter().map(|key| (name(*key), value.clone())).collect();
                        model.extend(newer.clone());
                        map.merge(newer);
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert!(map.iter().all(|(key, value)| model.get(key) == Some(value)));
                prop_assert!(model.keys().all(|key| map.get_mut(key).is_some()));
            }
            prop_assert_eq!(map.clone().into_iter().count(), model.len());
            prop_assert_eq!(map.values().count(), map.clone().values_mut().count());
        }
    }

    #[test]
    fn the_order_is_that_of_the_first_insertion_however_many_there_are() {
        let names: Vec<Text> = (0..64).rev().map(name).collect();
        let mut map: Map = names.iter().map(|name| (name.clone(), Value::Null)).collect();
        map.insert(names[40].clone(), Value::Int(1));
        assert!(map.iter().map(|(key, _)| key).eq(&names));
        assert_eq!(map, names.iter().rev().map(|name| (name.clone(), map[name].clone())).collect());
    }
}
