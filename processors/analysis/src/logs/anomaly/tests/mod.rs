//! What is found, and what is not.

mod quality;
mod simulator;
