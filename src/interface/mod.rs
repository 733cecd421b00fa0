//! The interface shows and asks.
