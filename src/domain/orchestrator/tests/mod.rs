//! Tests of decisions, in virtual time against a fleet of this file's own.

mod by_hand;
mod capacity;
mod claims;
mod commands;
mod context;
mod control;
mod cut;
mod edits;
mod faults;
mod jobs;
mod memory;
mod night;
mod outages;
mod planning;
mod properties;
mod queueing;
mod rethought;
mod rounds;
mod schedule;
mod servers;
mod talk;
mod watch;
mod world;
