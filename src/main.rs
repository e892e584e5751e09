use std::process::ExitCode;

fn main() -> ExitCode {
    lastgood::cli::run()
}
