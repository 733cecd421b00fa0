//! The Graph screen's model.
