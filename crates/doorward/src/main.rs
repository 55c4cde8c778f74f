//! The `doorward` program. Everything it does is in the library's [`doorward::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    doorward::cli::main()
}
