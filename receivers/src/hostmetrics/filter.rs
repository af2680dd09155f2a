//! Which devices, interfaces, mount points or processes are of interest.

use config::Invalid;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How names are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchType {
    /// Equal to one of the names.
    #[default]
    Strict,
    /// One of the regular expressions matches anywhere in it.
    Regexp,
}

/// The collector's settings of its cache of matches. None of them has an effect here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegexpCache {
    /// Whether the collector remembers which names matched.
    pub cacheenabled: bool,
    /// How many names it remembers.
    pub cachemaxnumentries: u64,
}

/// Settings of one filter: the key of the names differs, the rest is the same.
macro_rules! filter_settings {
    ($name:ident, $key:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// Names, or regular expressions. None at all matches as if the filter were not there.
            pub $key: Vec<String>,
            /// How names are compared.
            pub match_type: MatchType,
            /// Accepted for the collector's sake.
            pub regexp: RegexpCache,
        }

        impl $name {
            /// The filter; none if it has no names. `field` is where it stands.
            pub(super) fn compile(&self, field: &str) -> Result<Option<Filter>, Invalid> {
                Filter::compile(&self.$key, self.match_type)
                    .map_err(|error| Invalid::new(format!("{field}.{}", stringify!($key)), error.to_string()))
            }
        }
    };
}

filter_settings!(Devices, devices, "Devices that are of interest, or are not.");
filter_settings!(FsTypes, fs_types, "Types of file systems that are of interest, or are not.");
filter_settings!(MountPoints, mount_points, "Mount points that are of interest, or are not.");
filter_settings!(Interfaces, interfaces, "Network interfaces that are of interest, or are not.");
filter_settings!(Names, names, "Processes that are of interest, or are not, by the executable's name.");

/// A compiled filter.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    Strict(Vec<String>),
    Regexp(Vec<Regex>),
}

impl Filter {
    fn compile(names: &[String], match_type: MatchType) -> Result<Option<Self>, regex::Error> {
        if names.is_empty() {
            return Ok(None);
        }
        Ok(Some(match match_type {
            MatchType::Strict => Self::Strict(names.to_vec()),
            MatchType::Regexp => Self::Regexp(
                names.iter().map(|name| Regex::new(&config::re2(name))).collect::<Result<_, _>>()?,
            ),
        }))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Strict(names) => names.iter().any(|known| known == name),
            Self::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(name)),
        }
    }
}

/// What to include and what to leave out.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) include: Option<Filter>,
    pub(super) exclude: Option<Filter>,
}

impl Selection {
    /// Whether `name` is of interest: included, and not excluded.
    pub(super) fn has(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|filter| filter.matches(name))
            && !self.exclude.as_ref().is_some_and(|filter| filter.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(include: &[&str], exclude: &[&str], match_type: MatchType) -> Selection {
        let compile = |names: &[&str]| {
            let devices = names.iter().map(|name| (*name).to_owned()).collect();
            Devices { devices, match_type, ..Devices::default() }.compile("x").unwrap()
        };
        Selection { include: compile(include), exclude: compile(exclude) }
    }

    #[test]
    fn strict_names_are_equal_and_exclusion_wins() {
        let selection = selection(&["sda", "sdb"], &["sdb"], MatchType::Strict);
        assert!(selection.has("sda") && !selection.has("sda1") && !selection.has("sdb"));
    }

    #[test]
    fn expressions_match_anywhere() {
        let selection = selection(&["sd"], &["^loop", "1$"], MatchType::Regexp);
        assert!(selection.has("sda") && !selection.has("sda1") && !selection.has("vda"));
    }

    #[test]
    fn no_filter_matches_everything_and_a_wrong_one_is_refused() {
        assert!(selection(&[], &[], MatchType::Regexp).has("anything"));
        let wrong =
            Devices { devices: vec!["(".to_owned()], match_type: MatchType::Regexp, ..Devices::default() };
        assert_eq!(wrong.compile("include").unwrap_err().field, "include.devices");
    }
}
