//! The `herald` program.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two TLS providers are linked, so rustls can't choose by itself. Fails only when one was chosen before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    herald::cli::main()
}
