//! A session's journal driven by a script, without a terminal and without models: the same frames every time.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`language`] | a script as text, read into steps |
//! | [`frame`] | a frame as rows of text |
//! | [`svg`] | a frame as a picture |
//! | [`cast`] | frames as an asciicast |
//! | [`film`] | a whole session as a cast |
//! | [`table`] | the console they are done on |
//! | [`run`] | the steps, done one after the other |
//!
//! Not here: what is drawn (`tui`), what is true (the journal says so). Invariant: the output depends on the journal, the
//! script and the program's version alone: no clock, no terminal, no environment.

pub mod cast;
pub mod film;
pub mod frame;
pub mod language;
pub mod run;
pub mod svg;
pub mod table;
