//! Reports of a recorded session.
