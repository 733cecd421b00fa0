//! The program's entry: everything is in the library, so that tests and other programs can use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton::interface::cli::main()
}
