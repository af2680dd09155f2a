//! Whether what was learned still holds: changes of a mean, and of a distribution.
//!
//! In: residuals or scores of a model, in the order of time. Out: that they are no longer what they were, and about since
//! when. What to do about it (learn anew, forget) is for who owns the model to say.
//!
//! - [`Adwin`] keeps a window that is as long as its mean holds, and cuts it where the mean has changed. It needs no size and gives few
//!   false alarms, proven; about 0.1 microseconds a point and 2 KB.
//! - [`PageHinkley`] adds up departures from the mean. It needs to be told what size matters, takes 48 bytes and a nanosecond or two.
//! - [`Stability`] compares the distribution of scores with what it was: a model may be off without its mean being so.

mod adwin;
mod page_hinkley;
mod stability;
#[cfg(test)]
mod tests;

pub use adwin::Adwin;
pub use page_hinkley::{Change, PageHinkley};
pub use stability::Stability;
