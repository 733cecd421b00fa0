//! What is decided.
