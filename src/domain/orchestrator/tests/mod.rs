//! Tests of decisions, in virtual time against a fleet of this file's own.

mod commands;
mod faults;
mod properties;
mod schedule;
mod talk;
mod watch;
mod world;
