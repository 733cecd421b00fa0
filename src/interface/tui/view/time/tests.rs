//! The timeline and the strip as they look.
