//! Arrays longer than serde knows, as lists.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

pub(super) fn serialize<T: Serialize, const N: usize, S: Serializer>(
    array: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    array.as_slice().serialize(serializer)
}

pub(super) fn deserialize<'de, T: Deserialize<'de>, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[T; N], D::Error> {
    let list = Vec::<T>::deserialize(deserializer)?;
    let wrong = |list: Vec<T>| D::Error::custom(format!("{} entries instead of {N}", list.len()));
    list.try_into().map_err(wrong)
}
