//! The test app as a program; its environment says how it behaves (`load::app::Settings`).

use load::app::{self, Settings};
use std::io::Write;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => app::run(settings).await,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}
