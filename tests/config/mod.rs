//! A config from outside: what loads, and what is said of what does not.

mod activations;
mod contract;
mod files;
mod kinds;
mod loading;
mod mangled;
mod output;
mod places;
mod schema;
mod secrets;
mod segments;
mod service;
mod speed;
mod substitution;
mod support;
mod tables;
mod targets;
