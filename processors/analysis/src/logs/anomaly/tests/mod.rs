//! What is found, and what is not.

mod bounds;
mod kinds;
mod quality;
mod simulator;
